"""Show the recipes, parts, tasks and formats that exist."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import weft
from weft.commands._parsing import parse
from weft.core.config import Config, part_of
from weft.data.formats import formats
from weft.heads.output import Output
from weft.recipes import recipes
from weft.tasks import tasks
from weft.tasks.base import Task


@dataclass(frozen=True)
class Arguments:
    """The kind of thing to list."""

    what: Annotated[Literal["recipes", "parts", "tasks", "formats"], tyro.conf.Positional] = (
        "recipes"
    )


def main(words: list[str]) -> None:
    """Prints a table of names, each with a one-line description."""
    what = parse(Arguments, words, "weft list").what
    kinds: dict[str, Callable[[], dict[str, str]]] = {
        "recipes": lambda: {name: _first_line(f.__doc__) for name, f in recipes().items()},
        "parts": _parts,
        "tasks": lambda: {name: _task(config) for name, config in tasks().items()},
        "formats": lambda: {name: f.DESCRIPTION for name, f in formats().items()},
    }
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, line in kinds[what]().items():
        table.add_row(escape(name), escape(line))
    Console().print(table)


def _parts() -> dict[str, str]:
    """Every config of a part, as package.ClassName, with its description."""
    found: dict[str, str] = {}
    for info in pkgutil.walk_packages(weft.__path__, "weft."):
        for cls in vars(importlib.import_module(info.name)).values():
            if isinstance(cls, type) and cls.__module__ == info.name and _is_part(cls):
                package = info.name.split(".")[-2]
                found[f"{package}.{cls.__name__.removesuffix('Config')}"] = _first_line(cls.__doc__)
    return found


def _is_part(cls: type) -> bool:
    """Whether it is the config of a part whose place others may take: what it builds has a protocol.

    Outputs of heads are used as they are. Tasks are listed apart.
    """
    if issubclass(cls, Output):
        return not inspect.isabstract(cls)
    place = part_of(cls) if issubclass(cls, Config) else None
    return place is not Task and bool(getattr(place, "_is_protocol", False))


def _task(config: Config[Task]) -> str:
    """The task's description, and a line for each of its metrics."""
    lines = [f"  {metric.name} ({metric.axis})" for metric in config.build().metrics]
    return "\n".join([_first_line(config.__doc__), *lines])


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]
