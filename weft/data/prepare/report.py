"""The results of a check: plain values that convert to JSON and back."""

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
"""Name of the split of rows that have none."""


def split_words(name: str) -> str:
    """Returns the name of a split as users write it after `--split`."""
    return say(name) if name == NO_SPLIT else name


@dataclass(frozen=True)
class SplitCounts:
    """Counts for one split, or for all. media: by kind, pictures as `image`; rows of a group with the same content
    count it once."""

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
    """Two rows with the same content, or nearly the same picture, sound or video, and the columns concerned.

    turn: how one of them is turned, or empty.
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
    """The number of cases, and the first ones by name. leaking: those across splits."""

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
    """Summary of the sounds, or of the videos.

    shortest, median, longest, total: seconds. rates: samples or frames a second -> count. channels: of the sound, 0
    if a video has none -> count.
    """

    shortest: float
    median: float
    longest: float
    total: float
    rates: Shares
    channels: Shares


@dataclass(frozen=True)
class CaptionFacts:
    """Summary of the captions.

    repeated: captions that occur earlier in the data. across_splits: captions that also occur in another split,
    ignoring case, punctuation and spaces. called: the noun for one of them: caption, question or text.
    """

    called: str = "caption"
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
    """All results of `weft data check`.

    shown: (row, column) of the pictures of the contact sheet. thumbnails: JPEG files of these and of duplicates; they
    are not in the JSON.
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
    """Kind of private metadata in picture files -> number of pictures with it."""
    recordings: dict[Kind, Recordings] = field(default_factory=dict)
    """Summaries of sounds and videos, if there are any."""
    conflicts_total: int = 0
    conflicts: tuple[Problem, ...] = ()
    """Duplicates, also near ones among the named pairs, whose labels differ: one for each later row."""
    shown: tuple[tuple[int, str], ...] = ()
    thumbnails: Mapping[tuple[int, str], bytes] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def undivided(self) -> bool:
        """Whether no row says its split."""
        return [*self.splits] == [NO_SPLIT]

    @property
    def leaks(self) -> int:
        """Counts cases in which splits overlap: shared groups, equal content and nearly equal pictures."""
        return self.shared_groups + self.exact.leaking + self.near.leaking

    def counts(self, of: SplitCounts) -> dict[str, int]:
        """Returns the counts by label, such as "pictures". Only kinds of media that occur in the data are listed."""
        media = {
            f"{noun}s": of.media.get(k, 0) for k, noun in NOUNS.items() if k in self.total.media
        }
        return {
            "rows": of.rows,
            **media,
            f"{self.captions.called}s": of.captions,
            "groups": of.groups,
        }

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        values = dataclasses.asdict(dataclasses.replace(self, thumbnails={}))
        del values["thumbnails"]
        return values | {"leaks": self.leaks}

    def save(self, path: Path | str) -> None:
        """Writes the report as JSON, atomically."""
        write_text(path, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")
