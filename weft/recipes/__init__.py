"""Complete runs, one function each; every file of this folder is found by name.

A recipe module has one public function of its own name, whose docstring's first line describes it
and which returns a `Recipe`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from weft.core.errors import unknown_name

if TYPE_CHECKING:
    from weft.runs.recipe import Recipe


def names() -> list[str]:
    """The names of all recipes; none of them is imported."""
    return [info.name for info in pkgutil.iter_modules(__path__) if info.name[0] != "_"]


def recipes() -> dict[str, Callable[[], "Recipe"]]:
    """All recipes by name."""
    return {name: _function(name) for name in names()}


def recipe(name: str) -> "Recipe":
    """The recipe of that name. Raises WeftError with the nearest names where there is none."""
    if name not in names():
        raise unknown_name("recipe", name, names())
    return _function(name)()


def _function(name: str) -> Callable[[], "Recipe"]:
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Callable[[], Recipe]", vars(module)[name])
