"""Tasks that measure a trained model; each file of this folder holds one task and its config."""

import importlib
import pkgutil

from weft.core.config import Config
from weft.tasks.base import Task


def tasks() -> dict[str, Config[Task]]:
    """Name of each task -> its default settings."""
    found: dict[str, Config[Task]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for cls in vars(module).values():
            own = isinstance(cls, type) and cls.__module__ == module.__name__
            if own and issubclass(cls, Config) and "build" in vars(cls):
                settings = cls()
                found[settings.build().name] = settings
    return found
