"""Show the recipes, parts, tasks and formats that exist."""

import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from weft.commands._named import print_named
from weft.commands._parsing import parse
from weft.commands._sources import first_line, summaries
from weft.core.language import say

Kind = Literal["recipes", "parts", "tasks", "formats"]


@dataclass(frozen=True)
class Arguments:
    """The kind of thing to list."""

    what: Annotated[Kind, tyro.conf.Positional] = "recipes"


def main(words: list[str]) -> None:
    """Prints a table of names, each with a one-line description."""
    what = parse(Arguments, words, "weft list").what
    kinds: dict[Kind, Callable[[], dict[str, str]]] = {
        "recipes": _recipes,
        "parts": parts,
        "tasks": _tasks,
        "formats": _formats,
    }
    print_named(kinds[what]().items())


def _recipes() -> dict[str, str]:
    import weft.recipes

    return {name: say(line) for name, line in summaries(weft.recipes, of_function=True).items()}


def _formats() -> dict[str, str]:
    from weft.data.formats import formats

    return {name: say(found.DESCRIPTION) for name, found in formats().items()}


def parts() -> dict[str, str]:
    """Short name of every config of a part -> its description."""
    from weft.core.short_names import classes_of, short_name

    return {short_name(cls): say(first_line(cls.__doc__)) for cls in classes_of() if _is_part(cls)}


def _is_part(cls: type) -> bool:
    """Whether the class is the config of a replaceable part: it builds an implementation of a protocol.

    Outputs of heads count too; they have no config. Tasks do not: they have their own list.
    """
    from weft.core.config import Config, part_of
    from weft.heads.output import Output
    from weft.tasks.base import Task

    if issubclass(cls, Output):
        return not inspect.isabstract(cls)
    place = part_of(cls) if issubclass(cls, Config) else None
    return place is not Task and bool(getattr(place, "_is_protocol", False))


def _tasks() -> dict[str, str]:
    """Task -> its description and its metrics, grouped by unit."""
    from weft.tasks import tasks

    found: dict[str, str] = {}
    for name, config in tasks().items():
        lines = [say(first_line(config.__doc__))]
        for axis, metrics in itertools.groupby(config.build().metrics, lambda metric: metric.axis):
            lines.append(f"{', '.join(metric.name for metric in metrics)} ({axis})")
        found[name] = "\n".join(lines)
    return found
