"""Complete runs, one function each; every file of this folder is found by name.

A recipe module has one public function of its own name, whose docstring's first line describes it
and which returns a `Recipe`.
"""

import importlib
import pkgutil
from collections.abc import Callable

from weft.core.errors import unknown_name
from weft.runs.recipe import Recipe


def recipes() -> dict[str, Callable[[], Recipe]]:
    """All recipes by name."""
    found: dict[str, Callable[[], Recipe]] = {}
    for info in pkgutil.iter_modules(__path__):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{__name__}.{info.name}")
            found[info.name] = vars(module)[info.name]
    return found


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises WeftError with the nearest names where there is none."""
    known = recipes()
    if name not in known:
        raise unknown_name("recipe", name, known)
    return known[name]()
