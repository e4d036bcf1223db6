"""Input given on a command line -> the streams of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from weft.core.errors import WeftError, unknown_name
from weft.core.language import say

if TYPE_CHECKING:
    from weft.runs.run import Run

KINDS = ("image", "audio", "video", "array", "text")
"""Kinds of input that have an option of their own."""


@dataclass(frozen=True, kw_only=True)
class NamedInput:
    """The option --input for any stream, and the conversion of all options to streams of a run.

    A subclass has an option for each of KINDS. Its value is a single one, or a tuple of several.
    """

    several: ClassVar[bool] = False
    """If true, a stream may have several values, one for each row."""
    input: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Input as STREAM=VALUE for a stream, or as COLUMN=VALUE for a column of a table."""

    @property
    def given(self) -> bool:
        """Whether any input was given."""
        return bool(self.input) or any(self._of(kind) for kind in KINDS)

    @property
    def files(self) -> list[str]:
        """The given values that may be names of files."""
        named = [str(value) for kind in KINDS if kind != "text" for value in self._of(kind)]
        return [*named, *(word.partition("=")[2] for word in self.input)]

    def values(self, run: "Run", streams: Sequence[str]) -> dict[str, Any]:
        """Stream -> its value, or a list of several.

        streams: the streams that are read. Raises WeftError if one of them has no value and is not optional, and
        the errors of `chosen`.
        """
        values = self.chosen(run, streams)
        flags = options(run, [s for s in streams if s not in self._named(run, streams)])
        for stream, flag in flags.items():
            if stream not in values and stream not in run.optional:
                by_name = f" (or --input {stream}=VALUE)" if flag[2:] in KINDS else ""
                raise WeftError(
                    f"{run.folder}: this run needs {flag}, for its stream '{stream}'{by_name}"
                )
        if not values:
            raise WeftError(f"{run.folder}: this run needs {_either(run, streams)}")
        return values

    def without(self, run: "Run", streams: Sequence[str], values: Mapping[str, Any]) -> str | None:
        """One line that lists the streams without a value, and how to give one. None if every stream has a value.

        A history has none before the first question, so it is not listed.
        """
        from weft.modalities.history import History

        flags = options(run, streams)
        missing = [
            f"{stream} ({flags[stream]})"
            for stream in streams
            if stream not in values and not isinstance(run.modalities[stream], History)
        ]
        return say(f"{run.folder}: predicted without {', '.join(missing)}") if missing else None

    def chosen(self, run: "Run", streams: Sequence[str]) -> dict[str, Any]:
        """Stream -> its value, or a list of several; only for streams that were given.

        Raises WeftError for a value that none of the streams can read.
        """
        found = self._named(run, streams)
        flags = options(run, [stream for stream in streams if stream not in found])
        by_flag = {flag: stream for stream, flag in flags.items()}
        for kind in KINDS:
            flag, values = f"--{kind}", self._of(kind)
            if values and flag not in by_flag:
                raise WeftError(
                    f"{run.folder}: this run takes no {flag}, it takes {_either(run, streams)}"
                )
            if values:
                found[by_flag[flag]] = values
        for stream, values in found.items():
            if len(values) > 1 and not self.several:
                raise WeftError(f"--input gives stream '{stream}' {len(values)} values, expected 1")
        return {s: values if len(values) > 1 else values[0] for s, values in found.items()}

    def _named(self, run: "Run", streams: Sequence[str]) -> dict[str, list[Any]]:
        """Stream -> its values from --input, or the values of the columns that it reads.

        Raises WeftError for any other name.
        """
        columns = _columns(run, streams)
        found: dict[str, list[Any]] = {}
        for word in self.input:
            name, equals, value = word.partition("=")
            if equals and name in streams:
                found.setdefault(name, []).append(value)
            elif equals and name in columns:
                found.setdefault(columns[name], [{}])[0][name] = value
            elif equals:
                raise unknown_name("stream or column of --input", name, [*streams, *columns])
            else:
                known = ", ".join([*streams, *columns])
                raise WeftError(f"--input is '{word}', expected STREAM=VALUE, with one of {known}")
        return found

    def _of(self, kind: str) -> list[Any]:
        value = getattr(self, kind)
        return list(value) if isinstance(value, tuple) else [] if value is None else [value]


@dataclass(frozen=True, kw_only=True)
class OwnInput(NamedInput):
    """Options of a command that reads one input of the user."""

    image: Path | None = None
    """Picture file for the first image stream."""
    audio: Path | None = None
    """Sound file for the first audio stream."""
    video: Path | None = None
    """Video file for the first video stream."""
    array: Path | None = None
    """Array file (.npy) for the first array stream."""
    text: str | None = None
    """Sentence or question for the first text stream."""


@dataclass(frozen=True, kw_only=True)
class OwnInputs(NamedInput):
    """Options of a command that reads one or several inputs of the user."""

    several: ClassVar[bool] = True
    image: tuple[Path, ...] = ()
    """Picture files for the first image stream."""
    audio: tuple[Path, ...] = ()
    """Sound files for the first audio stream."""
    video: tuple[Path, ...] = ()
    """Video files for the first video stream."""
    array: tuple[Path, ...] = ()
    """Array files (.npy) for the first array stream."""
    text: tuple[str, ...] = ()
    """Sentences or questions for the first text stream."""


def options(run: "Run", streams: Sequence[str]) -> dict[str, str]:
    """Stream -> the option that takes its value: that of its kind for the first stream of a kind."""
    found: dict[str, str] = {}
    from weft.modalities.stream_kinds import kind_of_stream

    for stream in streams:
        flag = f"--{kind_of_stream(run.modalities[stream])}"
        known = flag[2:] in KINDS and flag not in found.values()
        found[stream] = flag if known else f"--input {stream}=VALUE"
    return found


def _columns(run: "Run", streams: Sequence[str]) -> dict[str, str]:
    """Column -> its stream, for the streams that read several columns."""
    from weft.core.interfaces import ReadsColumns

    found: dict[str, str] = {}
    for stream in streams:
        modality = run.modalities[stream]
        if isinstance(modality, ReadsColumns):
            found |= dict.fromkeys(modality.columns, stream)
    return found


def _either(run: "Run", streams: Sequence[str]) -> str:
    return " or ".join(options(run, streams).values())
