"""Does the evaluated split hold what the model was trained on? Printed above the scores."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_ELEMENTS = 2**22
EXAMPLES = 10


@dataclass(frozen=True)
class Fingerprints:
    """What identifies the rows of one split; one entry a row, or empty where it is not known.

    contents: exact hash of the picture. perceptual: (N,) uint64 hashes of which few bits differ where
    pictures look alike. captions: every caption of the row.
    """

    ids: Sequence[str]
    groups: Sequence[str]
    contents: Sequence[Hashable] = ()
    perceptual: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    captions: Sequence[Sequence[str]] = ()

    def __post_init__(self) -> None:
        for name in ("groups", "contents", "perceptual", "captions"):
            size = len(vars(self)[name])
            if size != len(self.ids) and (size or name == "groups"):
                raise ValueError(f"{name} has {size} entries, expected {len(self.ids)}, one an id")


@dataclass(frozen=True)
class Finding:
    """How many of `total` evaluated things are also in training; None where it was not looked at."""

    found: int | None
    total: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Leakage:
    """What the evaluated split shares with the training split.

    Examples pair an evaluated row's id with a training row's. Captions are compared without regard
    to case and spaces; short ones are often shared without any harm, so they do not make a leak.
    """

    train_rows: int
    evaluated_rows: int
    ids: Finding
    groups: Finding
    identical_pictures: Finding
    near_duplicate_pictures: Finding
    identical_captions: Finding

    @property
    def clean(self) -> bool:
        """No row, group or picture is shared, as far as was looked."""
        findings = (self.ids, self.groups, self.identical_pictures, self.near_duplicate_pictures)
        return not any(finding.found for finding in findings)

    def lines(self) -> list[str]:
        """One sentence a check."""
        kinds = (
            (self.ids, "rows have an id that is also in training"),
            (self.groups, "rows belong to a group that is also in training"),
            (self.identical_pictures, "pictures are identical to a training picture"),
            (self.near_duplicate_pictures, "pictures are near duplicates of a training picture"),
            (self.identical_captions, "captions are also in training word for word"),
        )
        return [
            f"not checked: {what}"
            if finding.found is None
            else f"{finding.found:,} of {finding.total:,} {what}"
            for finding, what in kinds
        ]

    def to_json(self) -> dict[str, Any]:
        findings = {
            name: {
                "found": finding.found,
                "total": finding.total,
                "examples": [list(pair) for pair in finding.examples],
            }
            for name, finding in vars(self).items()
            if isinstance(finding, Finding)
        }
        return {
            "clean": self.clean,
            "train_rows": self.train_rows,
            "evaluated_rows": self.evaluated_rows,
            **findings,
        }


def audit(train: Fingerprints, evaluated: Fingerprints, *, near_bits: int = 6) -> Leakage:
    """Looks for everything of `evaluated` in `train`.

    near_bits: perceptual hashes that differ in at most so many bits are near duplicates. Pictures
    that are identical are not counted again as near duplicates.
    """
    rows = len(evaluated.ids)
    identical = _shared(train.contents, evaluated.contents, train.ids, evaluated.ids)
    near = _near_duplicates(train, evaluated, near_bits)
    return Leakage(
        train_rows=len(train.ids),
        evaluated_rows=rows,
        ids=_shared(train.ids, evaluated.ids, train.ids, evaluated.ids),
        groups=_shared(train.groups, evaluated.groups, train.ids, evaluated.ids),
        identical_pictures=identical,
        near_duplicate_pictures=near,
        identical_captions=_shared_captions(train, evaluated),
    )


def _shared(
    train: Sequence[Hashable],
    evaluated: Sequence[Hashable],
    train_ids: Sequence[str],
    evaluated_ids: Sequence[str],
) -> Finding:
    if not len(train) or not len(evaluated):
        return Finding(None, len(evaluated_ids))
    first = dict(zip(reversed(train), reversed(train_ids), strict=True))
    pairs = [
        (i, first[key]) for i, key in zip(evaluated_ids, evaluated, strict=True) if key in first
    ]
    return Finding(len(pairs), len(evaluated), tuple(pairs[:EXAMPLES]))


def _near_duplicates(train: Fingerprints, evaluated: Fingerprints, near_bits: int) -> Finding:
    if not len(train.perceptual) or not len(evaluated.perceptual):
        return Finding(None, len(evaluated.ids))
    identical = set(train.contents) & set(evaluated.contents)
    nearest, bits = nearest_hashes(evaluated.perceptual, train.perceptual)
    pairs = [
        (evaluated.ids[row], train.ids[nearest[row]])
        for row in np.flatnonzero(bits <= near_bits).tolist()
        if not (evaluated.contents and evaluated.contents[row] in identical)
    ]
    return Finding(len(pairs), len(evaluated.ids), tuple(pairs[:EXAMPLES]))


def nearest_hashes(
    queries: NDArray[np.uint64], others: NDArray[np.uint64]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """For each query hash (Q,) the nearest of `others` (N,) and in how many bits they differ."""
    chunk = max(1, CHUNK_ELEMENTS // len(others))
    nearest = np.zeros(len(queries), dtype=np.intp)
    bits = np.zeros(len(queries), dtype=np.int64)
    for start in range(0, len(queries), chunk):
        differing = _ones(queries[start : start + chunk, None] ^ others[None, :])
        nearest[start : start + chunk] = differing.argmin(1)
        bits[start : start + chunk] = differing.min(1)
    return nearest, bits


def _ones(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The number of bits set (numpy has bitwise_count from 2.0 on)."""
    table = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)
    ones: NDArray[np.uint8] = table[values.view(np.uint8).reshape(*values.shape, 8)].sum(
        -1, dtype=np.uint8
    )
    return ones


def _shared_captions(train: Fingerprints, evaluated: Fingerprints) -> Finding:
    total = sum(len(captions) for captions in evaluated.captions)
    if not train.captions or not evaluated.captions:
        return Finding(None, total)
    known = {
        _plain(caption): row
        for row, captions in zip(train.ids, train.captions, strict=True)
        for caption in captions
    }
    pairs = [
        (row, known[_plain(caption)])
        for row, captions in zip(evaluated.ids, evaluated.captions, strict=True)
        for caption in captions
        if _plain(caption) in known
    ]
    return Finding(len(pairs), total, tuple(pairs[:EXAMPLES]))


def _plain(caption: str) -> str:
    return " ".join(caption.casefold().split())
