"""Perceptual fingerprints of pictures, and the pairs of pictures that look alike.

A picture becomes a 32 x 32 grey thumbnail, that its 64 lowest frequencies (the discrete cosine
transform of Ahmed, Natarajan and Rao, 1974). Their signs are the 64-bit hash, which a change of size,
brightness, contrast or compression hardly moves; their values, each weighted with its frequency
because photographs hold less of the higher ones, decide about the pairs that the hash proposes.
Mirror images and turns by 90, 180 and 270 degrees only change signs of odd frequencies and swap the
horizontal with the vertical ones, so they cost no second pass over the pictures. A picture with a frame of
one colour has a second fingerprint without it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weft.core.config import Settings
from weft.core.ranges import Range, at_least, require

SIDE = 32
CELLS = 4
MIN_CONTRAST = 1.5  # grey levels; the frequencies of a flatter picture are noise
FRAME_TOLERANCE = 6  # grey levels by which a line of a frame may differ from its colour on average
TURNED_MARGIN = (
    0.05  # more similarity is asked of a turned picture: six turns more are six chances more
)
BLOCK_VALUES = 1 << 24  # comparisons at a time: 64 MiB

Pixels = NDArray[np.uint8]


def _lowest_frequencies() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    pairs = [(u, v) for u in range(SIDE) for v in range(SIDE) if u + v]
    lowest = sorted(pairs, key=lambda p: (p[0] ** 2 + p[1] ** 2, p))[:64]
    return np.array([u for u, _ in lowest]), np.array([v for _, v in lowest])


def _cosines() -> NDArray[np.float64]:
    k = np.arange(SIDE)
    basis: NDArray[np.float64] = np.cos(
        np.pi * (2 * k[None, :] + 1) * k[:, None] / (2 * SIDE)
    ) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    return basis


_VERTICAL, _HORIZONTAL = _lowest_frequencies()
_DCT = _cosines()
_WEIGHTS = np.hypot(_VERTICAL, _HORIZONTAL)


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to lay a picture on itself: perhaps transposed, then flipped."""

    name: str
    transposed: bool
    upside_down: bool
    mirrored: bool

    @property
    def order(self) -> NDArray[np.intp]:
        """(64,): which frequency takes each one's place."""
        if not self.transposed:
            return np.arange(64)
        place = {pair: n for n, pair in enumerate(zip(_VERTICAL, _HORIZONTAL, strict=True))}
        return np.array([place[v, u] for u, v in zip(_VERTICAL, _HORIZONTAL, strict=True)])

    @property
    def signs(self) -> NDArray[np.float32]:
        """(64,): with which sign."""
        odd = _VERTICAL * self.upside_down + _HORIZONTAL * self.mirrored
        return np.where(odd % 2, np.float32(-1), np.float32(1))

    def shapes(self, shapes_NK: NDArray[Any]) -> NDArray[Any]:
        """Frequencies, or their signs, of the turned pictures."""
        turned: NDArray[Any] = shapes_NK[:, self.order] * self.signs
        return turned

    def colours(self, colours_NHWC: NDArray[Any]) -> NDArray[Any]:
        """The cells of the turned pictures."""
        turned = colours_NHWC.swapaxes(1, 2) if self.transposed else colours_NHWC
        turned = turned[:, ::-1] if self.upside_down else turned
        return turned[:, :, ::-1] if self.mirrored else turned


TURNS = (
    Turn("", False, False, False),
    Turn("mirrored", False, False, True),
    Turn("turned by 180 degrees", False, True, True),
    Turn("turned by 90 degrees", True, True, False),
    Turn("turned by 90 degrees", True, False, True),
    Turn("upside down", False, True, False),
    Turn("mirrored and turned by 90 degrees", True, False, False),
    Turn("mirrored and turned by 90 degrees", True, True, True),
)
"""The unturned one first: a symmetric picture is named by the first that fits."""

FINGERPRINT = np.dtype([("shape", "<f2", 64), ("colour", "i1", (CELLS, CELLS, 2))])
"""shape: 64 weighted frequencies as a vector of unit length. colour: red and blue against green."""


@dataclass(frozen=True)
class NearConfig(Settings):
    """When two pictures count as near duplicates. All three must hold.

    The defaults were chosen by looking at pairs of Flickr8k (33 million): they find a picture after
    JPEG at quality 10, any resizing, strong changes of brightness, frames of one colour, and cropping by
    2.5 % a side, and pictures of one burst; the most similar unrelated pair within 16 bits has
    similarity 0.815. `NOT_FOUND` says what they do not find.
    """

    distance: int = 16
    """Most bits of the 64-bit hash that may differ."""
    similarity: float = 0.83
    """Least cosine similarity of the weighted frequencies."""
    colour: int = 32
    """Greatest difference of colour in any sixteenth of the picture, in levels of 255 halved."""
    mirrored: bool = True
    """Also compare each picture with the others' mirror images."""
    turned: bool = True
    """Also compare each picture with the others turned by 90, 180 and 270 degrees."""

    def __post_init__(self) -> None:
        require(self, distance=at_least(0, 64), colour=at_least(0))
        require(self, similarity=Range(-1.0, 1.0, "a cosine"))

    def turns(self) -> list[int]:
        """The numbers of the turns that are tried."""
        tried = [n for n, turn in enumerate(TURNS) if self.turned or turn.name in ("", "mirrored")]
        return [n for n in tried if self.mirrored or not _changes_hands(TURNS[n])]


NOT_FOUND = "cropped by more than about 5 % a side, turned by a few degrees, drawn over"
"""What is done to pictures that are not found again, in words."""


def _changes_hands(turn: Turn) -> bool:
    return (turn.transposed + turn.upside_down + turn.mirrored) % 2 == 1


@dataclass(frozen=True)
class LikePairs:
    """Pairs of rows that look alike: first < second, all arrays of one length. turn: number in TURNS."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    distance: NDArray[np.int64]
    similarity: NDArray[np.float64]
    turn: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.first)


def fingerprint(pixels: Pixels) -> bytes | None:
    """uint8 (H, W, 3) -> one FINGERPRINT as bytes, and a second one without the frame where it has one;
    None where the picture is one flat colour."""
    whole = _print_of(pixels)
    inner = without_frame(pixels)
    if whole is None or inner.shape == pixels.shape:
        return whole
    return whole + (_print_of(inner) or b"")


def _print_of(pixels: Pixels) -> bytes | None:
    small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L"), dtype=np.float64)
    if grey.std() < MIN_CONTRAST:
        return None
    shape = (_DCT @ grey @ _DCT.T)[_VERTICAL, _HORIZONTAL] * _WEIGHTS
    cells = np.asarray(small.resize((CELLS, CELLS), Image.Resampling.BOX), dtype=np.float64)
    made = np.zeros((), FINGERPRINT)
    made["shape"] = shape / max(float(np.linalg.norm(shape)), 1e-12)
    made["colour"] = np.round((cells[..., ::2] - cells[..., 1:2]) / 2).clip(-127, 127)
    return made.tobytes()


def without_frame(pixels: Pixels) -> Pixels:
    """The picture without lines of one colour at its edges, at most a quarter from each side."""
    for _ in range(2):
        start, stop = _frame(pixels), len(pixels) - _frame(pixels[::-1])
        pixels = pixels[start:stop].swapaxes(0, 1)
    return np.ascontiguousarray(pixels)


def _frame(pixels: Pixels) -> int:
    """How many of the first lines have the colour of the first one; on average, as JPEG blurs a frame."""
    edge = pixels[: len(pixels) // 4].astype(np.float32)
    if not len(edge):
        return 0
    away = np.abs(edge - np.median(edge[0], axis=0)).mean(axis=(1, 2)) > FRAME_TOLERANCE
    return int(away.argmax()) if away.any() else len(edge)


def near_pairs(
    prints: list[bytes | None], config: NearConfig, *, against: int | None = None
) -> LikePairs:
    """All pairs of pictures that look alike, ordered by row.

    against: only pairs of one of the first `against` rows with one of the others. Every such pair is
    compared, in blocks: 10^5 pictures take about 20 seconds of one core for each of up to eight turns.
    Rows without a fingerprint are in no pair.
    """
    known = [(row, made) for row, made in enumerate(prints) if made is not None]
    counts = [len(made) // FINGERPRINT.itemsize for _, made in known]
    rows = np.repeat(np.array([row for row, _ in known], dtype=np.intp), counts)
    table = np.frombuffer(b"".join(made for _, made in known), FINGERPRINT)
    signs = np.where(np.signbit(table["shape"]), np.float32(-1), np.float32(1))
    split = None if against is None else int((rows < against).sum())
    found = [
        verified
        for turn in config.turns()
        for pairs in _candidates(signs, config.distance, TURNS[turn], split)
        if len(verified := _verified(table, signs, *pairs, turn=turn, config=config))
    ]
    if not found:
        nothing = np.zeros(0, dtype=np.intp)
        return LikePairs(nothing, nothing, nothing, np.zeros(0), nothing)
    first, second, distance, similarity, turn_of = (
        np.concatenate([getattr(pairs, name) for pairs in found])
        for name in ("first", "second", "distance", "similarity", "turn")
    )
    first, second = rows[first], rows[second]
    # A symmetric picture also resembles the other's mirror image, and one with a frame may resemble it
    # with the frame and without: a pair is named once, unturned and by its greatest similarity.
    order = np.lexsort((-similarity, turn_of, second, first))
    order = order[first[order] != second[order]]
    order = order[
        np.r_[True, np.diff(first[order] * len(prints) + second[order]) != 0][: len(order)]
    ]
    return LikePairs(
        first[order], second[order], distance[order], similarity[order], turn_of[order]
    )


def components(count: int, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each of `count` rows the smallest row that it is connected to by the pairs (first, second)."""
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


def _candidates(
    signs: NDArray[np.float32], distance: int, turn: Turn, split: int | None
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs (i < j, and i < split <= j) whose hashes differ in at most `distance` bits.

    Two vectors of 64 signs have the dot product 64 - 2 * distance, exact in float32, so the
    comparison is a matrix product, the fastest thing that a computer does.
    """
    others = turn.shapes(signs)
    block = max(1, BLOCK_VALUES // max(1, len(signs)))
    for start in range(0, len(signs) if split is None else split, block):
        stop = start + block if split is None else min(start + block, split)
        behind = start if split is None else split
        agreement = signs[start:stop] @ others[behind:].T
        i, j = np.divmod(np.flatnonzero(agreement >= 64 - 2 * distance), agreement.shape[1])
        i, j = i + start, j + behind
        later = j > i
        yield i[later], j[later]


def _verified(
    table: NDArray[np.void],
    signs: NDArray[np.float32],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    turn: int,
    config: NearConfig,
) -> LikePairs:
    shapes, colours, turned = table["shape"], table["colour"], TURNS[turn]
    theirs = turned.shapes(shapes[second].astype(np.float64))
    similarity = np.einsum("pk,pk->p", shapes[first].astype(np.float64), theirs)
    cells = turned.colours(colours[second])
    difference = np.abs(colours[first].astype(np.int64) - cells).max(axis=(1, 2, 3))
    least = config.similarity + (TURNED_MARGIN if turned.name not in ("", "mirrored") else 0)
    alike = (similarity >= least) & (difference <= config.colour)
    first, second = first[alike], second[alike]
    distance = (signs[first] != turned.shapes(signs[second])).sum(axis=1)
    return LikePairs(first, second, distance, similarity[alike], np.full(len(first), turn))
