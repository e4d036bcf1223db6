"""Short names of weft's parts, PACKAGE.CLASS without "Config": `encoders.Pretrained`."""

import importlib
import pkgutil
from collections.abc import Iterator

_ROOT = "weft"


def short_name(cls: type) -> str:
    """The short name of the class, which a recipe file may use."""
    return f"{cls.__module__.split('.')[-2]}.{cls.__name__.removesuffix('Config')}"


def classes_of(package: str | None = None) -> Iterator[type]:
    """The classes that weft's modules define. package: only those of packages with this name.

    Modules are imported one by one, as they are needed.
    """
    root = importlib.import_module(_ROOT)
    for info in pkgutil.walk_packages(root.__path__, f"{_ROOT}."):
        if package is None or info.name.split(".")[-2] == package:
            for found in vars(importlib.import_module(info.name)).values():
                if isinstance(found, type) and found.__module__ == info.name:
                    yield found
