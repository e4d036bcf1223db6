"""The help of a command: what it does, its arguments, and its options with their values."""

import dataclasses
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tyro

from weft.commands._named import print_named
from weft.commands._sources import field_docs, first_line
from weft.core.language import say

Row = tuple[str, str]


def print_doc(doc: str | None) -> None:
    """Prints the docstring of a command, with its paragraphs in the reader's language."""
    for number, paragraph in enumerate((doc or "").strip().split("\n\n")):
        joined = " ".join(paragraph.split())
        said = say(joined)
        print("\n" * (number > 0) + (paragraph if said == joined else said))


def print_help(cls: type, prog: str, default: Any = None) -> None:
    """Prints the help of the command whose options are the fields of the dataclass `cls`."""
    docs = field_docs(cls)
    hints = typing.get_type_hints(cls, include_extras=True)
    places = [one for one in dataclasses.fields(cls) if _is_positional(hints[one.name])]
    names = " ".join(one.name.upper() for one in places)
    print(say(f"usage: {prog} {names} [OPTIONS]".replace("  ", " ")), end="\n\n")
    print_named([("", say(first_line(sys.modules[cls.__module__].__doc__)))])
    print()
    rows = [(one.name.upper(), say(docs.get(one.name, ""))) for one in places]
    print_named([*rows, *_options(cls, default, "")], indent=2)


def required(cls: type) -> list[str]:
    """The arguments of the dataclass that have no default, as the help shows them: RUN, --out PATH."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = []
    for one in dataclasses.fields(cls):
        hint = hints[one.name]
        several = (
            typing.get_origin(typing.get_args(hint)[0]) is tuple if _is_positional(hint) else False
        )
        if _default(one, None) is dataclasses.MISSING and not several:
            place = _is_positional(hint)
            found.append(one.name.upper() if place else _flag(one.name, _shape(hint, one.name)))
    return found


def _options(cls: type, default: Any, prefix: str) -> Iterator[Row]:
    docs, hints = field_docs(cls), typing.get_type_hints(cls, include_extras=True)
    for one in dataclasses.fields(cls):
        value, hint = _default(one, default), hints[one.name]
        if dataclasses.is_dataclass(value):
            inside = "" if _is_unnamed(hint) else f"{one.name}."
            yield from _options(type(value), value, prefix + inside)
        elif not _is_positional(hint):
            unset = value is None or value is dataclasses.MISSING or value == ()
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            given = _shape(hint, one.name) if unset else shown
            yield _flag(prefix + one.name, given), say(docs.get(one.name, ""))


def _flag(name: str, value: str) -> str:
    return f"--{name} ".replace("_", "-") + value


def _default(one: dataclasses.Field[Any], default: Any) -> Any:
    if default is not None:
        return getattr(default, one.name)
    if one.default_factory is not dataclasses.MISSING:
        return one.default_factory()
    return one.default


def _shape(hint: Any, name: str) -> str:
    """The placeholder for a value: its choices, PATH, N, or the option's name."""
    inner = [one for one in typing.get_args(hint) if one is not type(None)]
    if typing.get_origin(hint) is typing.Literal:
        return "|".join(map(str, inner))
    if hint is Path:
        return "PATH"
    if hint in (int, float):
        return "N"
    return _shape(inner[0], name) if inner else name.upper()


def _is_positional(hint: Any) -> bool:
    return tyro.conf.Positional in getattr(hint, "__metadata__", ())


def _is_unnamed(hint: Any) -> bool:
    return any(getattr(one, "name", None) == "" for one in getattr(hint, "__metadata__", ()))
