"""Complete runs, one function each. Every module here without a leading underscore is found by its name.

A recipe module has one public function of the same name, which returns a `Recipe`. The first line of the
function's docstring describes it. Its arguments are flags of `weft train`, before all others. A recipe for
own data takes the `schema` of the training rows as first argument: the columns determine its streams.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from weft.core.errors import WeftError, unknown_name

if TYPE_CHECKING:
    from weft.runs.recipe import Recipe


SCHEMA = "schema"
"""Name of the first argument of recipes for own data."""


def names() -> list[str]:
    """The names of all recipes. No recipe is imported."""
    return [info.name for info in pkgutil.iter_modules(__path__) if info.name[0] != "_"]


def recipes() -> dict[str, Callable[[], "Recipe"]]:
    """Name -> recipe, for the recipes without required arguments."""
    found = {name: function(name) for name in names()}
    return {
        name: make
        for name, make in found.items()
        if not reads_schema(make)
        and not any(argument.required for argument in arguments_of(make).values())
    }


def recipe(name: str, **arguments: Any) -> "Recipe":
    """Builds the recipe of that name. Some take arguments, such as the published model from which they start.

    Raises WeftError with the nearest names if it does not exist, and if an argument is missing or unknown.
    """
    return made(function(name), name, arguments)


def made(make: Callable[..., "Recipe"], name: str, arguments: Mapping[str, Any]) -> "Recipe":
    """make(**arguments). Raises WeftError if an argument is missing, unknown or not one of its choices."""
    known = arguments_of(make)
    if reads_schema(make) and SCHEMA not in arguments:
        raise WeftError(f"recipe '{name}' is made for rows of your own: name them with --data PATH")
    for given, value in arguments.items():
        if given == SCHEMA and reads_schema(make):
            continue
        if given not in known:
            raise unknown_name(f"argument of recipe '{name}'", given, known)
        choices = known[given].choices
        if choices and value not in choices:
            raise unknown_name(f"value of {given}", str(value), choices)
    for argument, said in known.items():
        if said.required and argument not in arguments:
            raise WeftError(
                f"recipe '{name}' needs --{argument} {argument.upper()} (in YAML {argument}: "
                f"{argument.upper()}): {said.about}"
            )
    return make(**arguments)


@dataclass(frozen=True)
class Argument:
    """An argument of a recipe's function: its description, whether it is required, and its choices, if any."""

    about: str
    required: bool
    choices: tuple[str, ...] = ()


def arguments_of(make: Callable[..., "Recipe"]) -> dict[str, Argument]:
    """Name -> argument, for the string arguments of a recipe's function. Each is a flag of `weft train`."""
    found: dict[str, Argument] = {}
    hints = get_type_hints(make, include_extras=True)
    for name, parameter in inspect.signature(make).parameters.items():
        if name == SCHEMA:
            continue
        hint = hints.get(name, str)
        kind, *about = get_args(hint) if get_origin(hint) is Annotated else [hint]
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        required = parameter.default is inspect.Parameter.empty
        found[name] = Argument(" ".join(map(str, about)), required, choices)
    return found


def reads_schema(make: Callable[..., "Recipe"]) -> bool:
    """Whether the recipe is built from the columns of the rows."""
    return SCHEMA in inspect.signature(make).parameters


def function(name: str) -> Callable[..., "Recipe"]:
    """The function of that recipe. Raises WeftError with the nearest names if it does not exist."""
    if name not in names():
        raise unknown_name("recipe", name, names())
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Callable[..., Recipe]", vars(module)[name])
