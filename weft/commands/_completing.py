"""Completes the last word of a command line: commands, recipes, options, run directories."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import tyro

import weft.recipes
from weft import commands
from weft.commands import _essentials

RUN = "recipe.json"
"""Every run directory contains this file."""
HELP = ("--help", "--help-all")
ACTIONS = {"data": ("check", "prepare"), "index": ("build", "add", "remove", "verify")}
"""Commands with actions as their first word. Each action has its own class of options."""
CLASSES = {
    f"{name} {action}": f"{action.capitalize()}Arguments"
    for name, actions in ACTIONS.items()
    for action in actions
}


def candidates(words: list[str]) -> list[str]:
    """Returns possible completions of the last word, which may be empty. Names of files are not completed.

    words: the words after `weft`.
    """
    *before, last = words or [""]
    return sorted({one for one in _possible(before, last) if one.startswith(last)})


def _possible(before: list[str], last: str) -> Iterator[str]:
    names = [info.name for info in pkgutil.iter_modules(commands.__path__) if info.name[0] != "_"]
    if not before:
        yield from names if not last.startswith("-") else ("--help", "--version")
    elif before[0] == "train":
        yield from _of_train(before[1:], last)
    elif len(before) == 1 and before[0] in ACTIONS:
        yield from ACTIONS[before[0]]
    elif before[0] in names:
        cls = _arguments(importlib.import_module(f"{commands.__name__}.{before[0]}"), before)
        if cls is not None:
            yield from _of_class(cls, before, last)


def _of_train(before: list[str], last: str) -> Iterator[str]:
    if before[-1:] == ["--resume"] or before[-1:] == ["--init"]:
        yield from _runs(last)
    elif not before:
        yield from ("--resume",) if last.startswith("-") else weft.recipes.names()
    elif last.startswith("-"):
        yield from ("--data", "--out", "--init", *HELP)
        found = _essentials.kept().get(before[0], _essentials.Help())
        for name in (*found.arguments, *found.settings):
            yield f"--{name.replace('_', '-')}"


def _arguments(module: ModuleType, before: list[str]) -> type | None:
    name = CLASSES.get(" ".join(before[:2]), "Arguments")
    found = vars(module).get(name)
    return found if isinstance(found, type) else None


def _of_class(cls: type, before: list[str], last: str) -> Iterator[str]:
    """Completions from the options of a command: their names, or values of the option before."""
    options = dict(_options(cls))
    hint, positional = options.get(before[-1].removeprefix("--").replace("-", "_"), (None, True))
    if last.startswith("-"):
        yield HELP[0]
        yield from (f"--{n.replace('_', '-')}" for n, (_, placed) in options.items() if not placed)
    elif before[-1].startswith("--") and not positional:
        yield from _choices(hint)
    else:
        for name, (hint, placed) in options.items():
            if placed and name in ("run", "runs"):
                yield from _runs(last)
            elif placed and name in ("recipe", "recipes"):
                yield from weft.recipes.names()
            elif placed:
                yield from _choices(hint)


def _options(cls: type) -> Iterator[tuple[str, tuple[Any, bool]]]:
    """Each option: its name, its type, and whether it is positional."""
    hints = get_type_hints(cls, include_extras=True)
    for one in dataclasses.fields(cls):
        hint: Any = hints[one.name]
        marks: list[Any] = []
        if get_origin(hint) is Annotated:
            hint, *marks = get_args(hint)
        if dataclasses.is_dataclass(hint):
            yield from _options(cast(type, hint))  # its fields are options of the command
        else:
            yield one.name, (hint, tyro.conf.Positional in marks)


def _choices(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from map(str, get_args(hint))
    elif get_origin(hint) in (Union, UnionType):
        for inner in get_args(hint):
            yield from _choices(inner)
    elif hint is bool:
        yield from ("True", "False")


def _runs(last: str) -> Iterator[str]:
    """Run directories in the current folder, in runs/, and in the folder of the incomplete path `last`."""
    folder = Path(last if last.endswith("/") else Path(last).parent)
    for place in (Path(), Path("runs"), folder):
        for pattern in (f"*/{RUN}", f"*/*/{RUN}"):
            yield from (str(path.parent) for path in place.glob(pattern))
