"""The errors that a user can cause. Each is one line: what is wrong, what was given, what was expected, where."""

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any


class WeftError(Exception):
    """Bad input. The command line prints only the message and exits with code 2."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is unpickled by calling its class with the message alone. Not every
        # __init__ here accepts that, and then an error in a worker process would be lost.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[WeftError], args: tuple[Any, ...], values: dict[str, Any]) -> WeftError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(values)
    return error


class DataError(WeftError):
    """One sample cannot be used. `source` is its origin (file:line or shard:member)."""

    def __init__(self, message: str, *, source: str) -> None:
        super().__init__(f"{source}: {message}")
        self.source = source
        self.reason = message


class NoTargetError(DataError):
    """The row has no value for a target. It cannot be learned from or measured, but it is not an error in the data."""


class MissingExtraError(WeftError):
    """An optional package is not installed."""

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed: pip install 'weft[{extra}]'"
        )


MOST_NAMES = 30
"""An error lists at most this many known names."""
LISTED = {
    "recipe": "weft list recipes",
    "task": "weft list tasks",
    "format": "weft list formats",
    "column": "weft data check PATH",
}
"""Kind of name -> the command that lists all names of this kind."""
SHOWN = 80
"""Characters of a wrong value that a message repeats."""
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = SHOWN
_BRIEF.maxlevel = 2


def brief(value: Any) -> str:
    """A wrong value for a message, in one line; a long value is shortened in the middle."""
    try:
        return " ".join(_BRIEF.repr(value).split("\n"))
    except ValueError:  # an int with more digits than Python converts to text
        return f"a number of {int(value).bit_length()} bits"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> WeftError:
    """The error for a name that does not exist; it suggests the nearest existing names, and lists all unless they are
    many."""
    return unknown_names(kind, [name], known)


def unknown_names(kind: str, names: Sequence[str], known: Iterable[str]) -> WeftError:
    """The error for one or several names that do not exist; it suggests the nearest existing names of each."""
    known = sorted(known)
    names = [name if len(name) <= SHOWN else f"{name[:SHOWN]}..." for name in names]
    near = {name: difflib.get_close_matches(name, known, n=3, cutoff=0.5) for name in names}
    if len(names) == 1:
        what, nearest = f"unknown {kind} '{names[0]}'", " or ".join(near[names[0]])
    else:
        quoted = ", ".join(f"'{name}'" for name in names)
        what = f"no {kind} is called {quoted}"
        nearest = ", ".join(f"{name} → {' or '.join(few)}" for name, few in near.items() if few)
    hint = f"did you mean {nearest}? " if nearest else ""
    if len(known) <= MOST_NAMES:
        return WeftError(f"{what}: {hint}known: {', '.join(known) or 'none'}")
    command = LISTED.get(kind.partition(" ")[0])
    if command is None:
        return WeftError(f"{what}: {hint}{len(known):,} are known")
    return WeftError(f"{what}: {hint}{len(known):,} are known; {command} lists them")
