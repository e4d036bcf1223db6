"""Typed dataclasses -> command lines, with mistakes as one line."""

import contextlib
import io
import sys
from typing import Any, TypeVar, cast

import tyro

from weft.core.errors import WeftError

T = TypeVar("T")
BOX = "│╭╮╰╯─┌┐└┘ "


def parse(cls: type[T], words: list[str], prog: str, default: T | None = None) -> T:
    """An instance of the dataclass `cls` from the words of a command line.

    Raises WeftError, one line with the nearest flags, where a word does not fit.
    """
    spoken = io.StringIO()
    try:
        with contextlib.redirect_stderr(spoken):
            parsed: Any = tyro.cli(
                cls,
                args=words,
                prog=prog,
                default=cast(Any, default),
                description="",
                config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise WeftError(_one_line(spoken.getvalue(), words)) from None
    except ValueError as error:  # a config refused its values
        raise WeftError(str(error)) from None
    sys.stderr.write(spoken.getvalue())
    return cast(T, parsed)


def _one_line(box: str, words: list[str]) -> str:
    """What tyro draws as a box, as one line: what is wrong, and the flags that come near."""
    lines = [line.strip(BOX) for line in box.splitlines()[1:]]
    # Where stdout is not UTF-8 the box is drawn with hyphens, first of all under its title.
    lines = ["" if set(line) == {"-"} else line for line in lines]
    lines = lines[1:] if lines and lines[0] == "" else lines
    end = lines.index("") if "" in lines else len(lines)
    message = " ".join(lines[:end])
    near = [line.split()[0] for line in lines[end:] if line.startswith("--")]
    near = [flag for flag in dict.fromkeys(near) if flag not in words]
    hint = f"; did you mean {' or '.join(near[:3])}?" if near else ""
    return f"{message}{hint}"
