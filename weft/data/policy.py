"""Policies for rows that cannot be read."""

import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from weft.core.config import Settings
from weft.core.errors import DataError, NoTargetError, WeftError
from weft.core.files import read_file, write_bytes
from weft.core.media import Media
from weft.core.samples import Sample
from weft.core.text import counted

log = logging.getLogger("weft.data")
MOST_NAMED = 20
"""Number of left out rows that are named on the terminal. Further ones are only counted."""


@dataclass(frozen=True)
class ErrorPolicy(Settings):
    """The policy for rows that cannot be read.

    - mode: `raise` stops at the first one. `skip` leaves it out, counts it and names it once; of many, only the first
      ones. `quarantine` also keeps a copy in `folder`, which only the user can read.
    - folder: place of errors.jsonl (and the copies); needed for quarantine.
    - limit: maximum share of bad rows; more of them stop the run. Rows without a value of a target are left out, too,
      but do not count as bad.
    """

    mode: Literal["raise", "skip", "quarantine"] = "raise"
    folder: Path | None = None
    limit: float = 0.1

    def __post_init__(self) -> None:
        if self.mode == "quarantine" and self.folder is None:
            raise ValueError("error policy quarantine needs a folder, got none")
        if not 0 <= self.limit <= 1:
            raise ValueError(f"limit is {self.limit}, expected a fraction between 0 and 1")

    def build(
        self,
        rows: int | None = None,
        say: Callable[[str], object] = log.warning,
        *,
        option: str = "",
    ) -> "BadRows":
        """Builds the collector of bad rows. rows: number of rows in all; None if it is known only when all are read.

        say: called for each row that is left out. option: the option that sets the mode, named if a row stops the
        command.
        """
        return BadRows(self, rows, say, option)


class BadRow(NamedTuple):
    """One row that could not be used."""

    id: str
    source: str
    reason: str


class BadRows:
    """Collects the bad rows of a data set. Safe to use from several threads."""

    def __init__(
        self,
        policy: ErrorPolicy,
        rows: int | None,
        say: Callable[[str], object] = log.warning,
        option: str = "",
    ) -> None:
        self._policy = policy
        self._total = rows
        self._say = say
        self._option = option
        self._lock = threading.Lock()
        self._rows: dict[str, BadRow] = {}
        self._without_target = 0
        self._written = _sources_in(self._file)

    @property
    def rows(self) -> list[BadRow]:
        """All bad rows seen so far, each once."""
        with self._lock:
            return list(self._rows.values())

    def add(self, error: DataError, sample: Sample | None = None) -> None:
        """Applies the policy to one bad row. Raises `error`, or WeftError above the limit."""
        if self._policy.mode == "raise":
            raise self._with_option(error)
        with self._lock:
            if error.source in self._rows:
                return
            row = BadRow(sample.id if sample else error.source, error.source, error.reason)
            self._rows[error.source] = row
            self._without_target += isinstance(error, NoTargetError)
            if len(self._rows) <= MOST_NAMED:
                self._say(f"left out: {error}")
            elif len(self._rows) == MOST_NAMED + 1:
                self._say("further rows are left out; only their number is given from here on")
            self._record(row, sample)
            self._check_limit()

    def _with_option(self, error: DataError) -> DataError:
        if not self._option:
            return error
        reason = f"{error.reason}; {self._option} skip leaves such rows out"
        return type(error)(reason, source=error.source)

    def check(self, good: int) -> None:
        """Checks the limit after all rows are read, of which `good` can be used. Raises WeftError above it."""
        with self._lock:
            self._total = good + len(self._rows)
            self._check_limit()

    def _check_limit(self) -> None:
        total, bad = self._total, len(self._rows) - self._without_target
        if total is not None and bad > self._policy.limit * total:
            last = list(self._rows.values())[-1]
            raise WeftError(
                f"{bad} of {counted(total, 'row')} {'is' if bad == 1 else 'are'} bad, more than the limit of {self._policy.limit:.1%}; "
                f"the last one: {last.source}: {last.reason}"
            )

    @property
    def _file(self) -> Path | None:
        folder = self._policy.folder
        return None if folder is None else folder / "errors.jsonl"

    def _record(self, row: BadRow, sample: Sample | None) -> None:
        """Writes one line to errors.jsonl, unless an earlier run has written the same line."""
        file = self._file
        if file is None or row.source in self._written:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            quarantine = self._policy.mode == "quarantine"
            copies = _keep(sample, file.parent) if quarantine and sample else []
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps({**row._asdict(), "kept": copies}) + "\n")
        except OSError as error:
            raise WeftError(f"{file}: cannot be written: {error.strerror}") from error


def _sources_in(file: Path | None) -> set[str]:
    if file is None or not file.exists():
        return set()
    sources = set()
    try:
        lines = read_file(file).decode(errors="replace").splitlines()
    except OSError as error:
        raise WeftError(f"{file}: cannot be read: {error.strerror}") from error
    for line in lines:
        try:
            sources.add(json.loads(line)["source"])
        except (ValueError, KeyError, TypeError):
            continue  # the last line of a run that was killed while writing it
    return sources


def _keep(sample: Sample, folder: Path) -> list[str]:
    """Copies the raw values of `sample` into `folder`; returns the names of the copies.

    A row may name any file that the user can read, so only the user can read the copies.
    """
    stem = _file_name(sample.id)
    kept = []
    for key, value in sample.items.items():
        if isinstance(value, Media):
            name = f"{stem}.{_file_name(key)}{'.' * bool(value.suffix)}{value.suffix}"
            try:
                content = value.read()
            except WeftError:
                continue  # values that cannot be read cannot be copied
            write_bytes(folder / name, content, private=True)
            kept.append(name)
    words = {k: v for k, v in sample.items.items() if not isinstance(v, Media)}
    row = {"id": sample.id, "group": sample.group, **words}
    write_bytes(folder / f"{stem}.json", json.dumps(row, default=str).encode(), private=True)
    return [*kept, f"{stem}.json"]


def _file_name(words: str) -> str:
    return re.sub(r"[^\w.-]", "_", words)[:100]
