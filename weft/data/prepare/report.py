"""What a check found: plain values that go to JSON and back."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weft.core.files import write_text
from weft.core.kinds import NOUNS, Kind
from weft.core.language import say

Shares = dict[str, int]
NO_SPLIT = "(none)"
"""Stands for the split of rows that name none."""


def split_words(name: str) -> str:
    """The name of a split as people are told it: it is what they write after `--split`."""
    return say(name) if name == NO_SPLIT else name


@dataclass(frozen=True)
class SplitCounts:
    """How much there is of one split (or of all). media: by kind, pictures as `image`;
    rows of a group with the same content share it."""

    rows: int
    media: dict[Kind, int]
    captions: int
    groups: int


@dataclass(frozen=True)
class Column:
    """One column: in how many rows it is, and with what kinds of values."""

    rows: int
    kinds: Shares


@dataclass(frozen=True)
class Problem:
    """A row that cannot be used, or a value that looks wrong."""

    row: int
    id: str
    source: str
    reason: str


@dataclass(frozen=True)
class Pair:
    """Two rows that hold the same content, or nearly the same picture, sound or video, and in which columns.

    turn: how one is turned, or nothing.
    """

    rows: tuple[int, int]
    columns: tuple[str, str]
    ids: tuple[str, str]
    splits: tuple[str, str]
    distance: int = 0
    similarity: float = 1.0
    turn: str = ""

    @property
    def crosses(self) -> bool:
        """Whether the two are in different splits."""
        return self.splits[0] != self.splits[1]


@dataclass(frozen=True)
class Listing:
    """How many there are and the first of them by name. leaking: those across splits."""

    total: int = 0
    leaking: int = 0
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Histogram:
    """Counts between edges, one series a split."""

    edges: tuple[float, ...]
    counts: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Recordings:
    """What is to be said of the sounds, or of the videos.

    shortest, median, longest, total: seconds. rates: samples or frames a second -> how many. channels: of the sound,
    0 where a video has none -> how many.
    """

    shortest: float
    median: float
    longest: float
    total: float
    rates: Shares
    channels: Shares


@dataclass(frozen=True)
class CaptionFacts:
    """What is to be said of the captions.

    repeated: captions that occur before in the data. across_splits: captions that, but for case,
    punctuation and spaces, also occur in another split.
    """

    total: int = 0
    empty: int = 0
    long: int = 0
    repeated: int = 0
    across_splits: int = 0
    vocabulary: int = 0
    languages: Shares = field(default_factory=dict)
    per_row: Shares = field(default_factory=dict)


@dataclass(frozen=True)
class DataReport:
    """Everything that `weft data check` found.

    shown: (row, column) of the pictures of the contact sheet. thumbnails: their JPEG files, and those of
    duplicates; they stay out of the JSON.
    """

    name: str
    total: SplitCounts
    splits: dict[str, SplitCounts]
    columns: dict[str, Column]
    corrupt_total: int
    corrupt: tuple[Problem, ...]
    suspicious_total: int
    suspicious: tuple[Problem, ...]
    exact: Listing
    near: Listing
    shared_groups: int
    shared_group_names: tuple[str, ...]
    captions: CaptionFacts
    histograms: dict[str, Histogram]
    metadata: Shares = field(default_factory=dict)
    """Kind of private metadata in the files of pictures -> pictures that have it."""
    recordings: dict[Kind, Recordings] = field(default_factory=dict)
    """Of sounds and videos, where there are any."""
    shown: tuple[tuple[int, str], ...] = ()
    thumbnails: Mapping[tuple[int, str], bytes] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def leaks(self) -> int:
        """Ways in which splits touch: shared groups, equal content and nearly equal pictures."""
        return self.shared_groups + self.exact.leaking + self.near.leaking

    def counts(self, of: SplitCounts) -> dict[str, int]:
        """What there is in words, such as "pictures", and how much; of kinds of media those in the data."""
        media = {
            f"{noun}s": of.media.get(k, 0) for k, noun in NOUNS.items() if k in self.total.media
        }
        return {"rows": of.rows, **media, "captions": of.captions, "groups": of.groups}

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        values = dataclasses.asdict(dataclasses.replace(self, thumbnails={}))
        del values["thumbnails"]
        return values | {"leaks": self.leaks}

    def save(self, path: Path | str) -> None:
        """Writes the report as JSON, atomically."""
        write_text(path, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")
