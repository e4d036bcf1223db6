"""Finds all pairs of similar pictures, among any number of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from weft.core.config import Settings
from weft.core.kinds import Kind
from weft.core.progress import progress
from weft.core.ranges import Range, at_least, require
from weft.data.prepare.fingerprints import FINGERPRINT, TURNS, Turn

TURNED_MARGIN = 0.05
"""Additional similarity required of a turned picture, since six more turns give six more chances of a false match."""
TILE = 2048
"""Number of pictures that are compared at a time with as many others: 16 MiB."""
ROUNDING = 1e-5
"""Possible rounding error of a product in float32."""


@dataclass(frozen=True)
class NearConfig(Settings):
    """When two pictures count as near duplicates. All three must hold.

    The defaults were chosen by looking at pairs of Flickr8k (33 million): they find a picture after
    JPEG at quality 10, any resizing, strong changes of brightness, frames of one colour, and cropping by
    2.5 % a side, and pictures of one burst; the most similar unrelated pair within 16 bits has
    similarity 0.815. `NOT_FOUND` says what they do not find.
    """

    distance: int = 16
    """Maximum number of differing bits of the 64-bit hash."""
    similarity: float = 0.83
    """Minimum cosine similarity of the weighted frequencies."""
    colour: int = 32
    """Maximum colour difference in any cell of the picture's 4 x 4 grid, in units of 2 levels of 255."""
    mirrored: bool = True
    """If true, also compare each picture with the mirror images of the others."""
    turned: bool = True
    """If true, also compare each picture with the others rotated by 90, 180 and 270 degrees."""
    sound_similarity: float = 0.97
    """Minimum similarity of the fingerprints of two sounds."""
    video_similarity: float = 0.97
    """Minimum similarity of the mean frames of two videos. Their motion and sound tracks must be similar, too."""

    def __post_init__(self) -> None:
        require(self, distance=at_least(0, 64), colour=at_least(0))
        cosine = Range(-1.0, 1.0, "a cosine")
        require(self, similarity=cosine, sound_similarity=cosine, video_similarity=cosine)

    def of_kind(self, kind: Kind) -> "NearConfig":
        """Returns the thresholds for two of that kind: only pictures are compared turned or mirrored."""
        if kind == "audio":
            return self.replace(similarity=self.sound_similarity, mirrored=False, turned=False)
        if kind == "video":
            return self.replace(similarity=self.video_similarity, mirrored=False, turned=False)
        return self

    def turns(self) -> list[int]:
        """Returns the indices of the turns that are tried."""
        tried = [n for n, turn in enumerate(TURNS) if self.turned or turn.name in ("", "mirrored")]
        return [n for n in tried if self.mirrored or not _changes_hands(TURNS[n])]


NOT_FOUND = "cropped by more than about 5 % a side, rotated by a few degrees, or drawn over"
"""Changes after which a picture is not recognised, for messages."""
NOT_FOUND_RECORDINGS = (
    "cut by more than about 2 %, mixed with others, played faster or slower, cropped, or mirrored"
)
"""The same for sounds and videos."""
OTHER_PARTS = "other parts of a training recording: give all parts of a recording the same value of the column `group`"
"""What else is not recognised of sounds and videos."""


def _changes_hands(turn: Turn) -> bool:
    return (turn.transposed + turn.upside_down + turn.mirrored) % 2 == 1


@dataclass(frozen=True)
class LikePairs:
    """Pairs of similar rows: first < second, all arrays of one length. turn: index in TURNS."""

    TYPES: ClassVar[dict[str, type[np.generic]]] = {
        "first": np.intp,
        "second": np.intp,
        "distance": np.int64,
        "similarity": np.float64,
        "turn": np.intp,
    }
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    distance: NDArray[np.int64]
    similarity: NDArray[np.float64]
    turn: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.first)

    def where(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> "LikePairs":
        """Returns a selection of the pairs, by a mask or by index."""
        return LikePairs(*(getattr(self, each.name)[kept] for each in fields(self)))


def near_pairs(
    prints: Sequence[bytes | None],
    config: NearConfig,
    *,
    against: int | None = None,
    shown: bool = False,
) -> LikePairs:
    """Returns all pairs of similar pictures, ordered by row.

    against: only pairs of one of the first `against` rows with one of the others. Every such pair is compared, in
    tiles: 10^5 pictures take about a minute on one core. Rows without a fingerprint are in no pair. shown: progress
    goes to stderr.
    """
    known = [(row, made) for row, made in enumerate(prints) if made is not None]
    counts = [len(made) // FINGERPRINT.itemsize for _, made in known]
    rows = np.repeat(np.array([row for row, _ in known], dtype=np.intp), counts)
    table = np.frombuffer(b"".join(made for _, made in known), FINGERPRINT)
    split = None if against is None else int((rows < against).sum())
    tiles = list(_tiles(len(rows), split))
    with progress("comparing pictures", len(tiles), shown=shown) as advance:
        found = [part for tile in tiles for part in _of_tile(table, tile, config, advance)]
    if not found:
        return LikePairs(*(np.zeros(0, dtype) for dtype in LikePairs.TYPES.values()))
    first, second, distance, similarity, turn_of = (
        np.concatenate([getattr(pairs, name) for pairs in found]) for name in LikePairs.TYPES
    )
    first, second = rows[first], rows[second]
    # A symmetric picture also resembles the other's mirror image, and a framed one may match with
    # and without its frame. Each pair is therefore listed once, unturned and with its greatest
    # similarity.
    order = np.lexsort((-similarity, turn_of, second, first))
    order = order[first[order] != second[order]]
    order = order[
        np.r_[True, np.diff(first[order] * len(prints) + second[order]) != 0][: len(order)]
    ]
    return LikePairs(
        first[order], second[order], distance[order], similarity[order], turn_of[order]
    )


def components(count: int, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each of `count` rows, returns the smallest row that the pairs (first, second) connect it to."""
    labels = np.arange(count)
    while True:
        low = np.minimum(labels[first], labels[second])
        joined = labels.copy()
        for ends in (labels[first], labels[second], first, second):
            np.minimum.at(joined, ends, low)
        joined = joined[joined]
        if np.array_equal(joined, labels):
            return labels
        labels = joined


Tile = tuple[slice, slice]
"""A range of fingerprints, and the range that they are compared with."""


def _tiles(count: int, split: int | None) -> Iterator[Tile]:
    """Yields tiles of all pairs i < j, with i < split <= j if `split` is given."""
    first = range(0, count if split is None else split, TILE)
    second = range(split or 0, count, TILE)
    for start, behind in product(first, second):
        if behind + TILE > start:
            stop = start + TILE if split is None else min(start + TILE, split)
            yield slice(start, stop), slice(behind, behind + TILE)


def _of_tile(
    table: NDArray[np.void], tile: Tile, config: NearConfig, advance: Callable[[int], None]
) -> Iterator[LikePairs]:
    """Returns the pairs of one tile, by turn.

    One matrix product gives the similarity of absolute frequencies for all pairs of the tile. It is an upper bound
    for the four turns that only change signs. About 1 in 1,000 unrelated pairs passes it.
    """
    first, second = tile
    mine = table["shape"][first].astype(np.float32)
    others = table["shape"][second].astype(np.float32)
    for transposed in (False, True):
        turns = [turn for turn in config.turns() if TURNS[turn].transposed == transposed]
        if not turns:
            continue
        theirs = others[:, TURNS[turns[0]].order]
        least = min(_least(config, TURNS[turn]) for turn in turns)
        near = np.flatnonzero(np.abs(mine) @ np.abs(theirs).T >= least - ROUNDING)
        i, j = np.divmod(near, len(theirs))
        later = j + second.start > i + first.start
        i, j = i[later], j[later]
        products = mine[i] * theirs[j]
        for turn in turns:
            close = products @ TURNS[turn].signs >= _least(config, TURNS[turn]) - ROUNDING
            ends = i[close] + first.start, j[close] + second.start
            pairs = _verified(table, *ends, turn=turn, config=config)
            if len(pairs):
                yield pairs
    advance(1)


def _least(config: NearConfig, turn: Turn) -> float:
    """Returns the minimum similarity required under that turn."""
    return config.similarity + (TURNED_MARGIN if turn.name not in ("", "mirrored") else 0)


def _verified(
    table: NDArray[np.void],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    turn: int,
    config: NearConfig,
) -> LikePairs:
    shapes, colours, turned = table["shape"], table["colour"], TURNS[turn]
    mine = shapes[first].astype(np.float64)
    theirs = turned.shapes(shapes[second].astype(np.float64))
    similarity = np.einsum("pk,pk->p", mine, theirs)
    cells = turned.colours(colours[second])
    difference = np.abs(colours[first].astype(np.int64) - cells).max(axis=(1, 2, 3))
    distance = (np.signbit(mine) != np.signbit(theirs)).sum(axis=1)
    alike = (similarity >= _least(config, turned)) & (difference <= config.colour)
    alike &= distance <= config.distance
    turns = np.full(int(alike.sum()), turn)
    return LikePairs(first[alike], second[alike], distance[alike], similarity[alike], turns)
