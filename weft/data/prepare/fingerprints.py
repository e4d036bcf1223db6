"""Perceptual fingerprints of pictures, and the pairs of pictures that look alike.

A picture becomes a 32 x 32 grey thumbnail, that its 64 lowest frequencies (the discrete cosine
transform of Ahmed, Natarajan and Rao, 1974). Their signs are the 64-bit hash, which a change of size,
brightness, contrast or compression hardly moves; their values, each weighted with its frequency
because photographs hold less of the higher ones, decide about the pairs that the hash proposes.
A mirror image only changes the signs of the odd horizontal frequencies, so it costs no second pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weft.core.config import Config

SIDE = 32
CELLS = 4
MIN_CONTRAST = 1.5  # grey levels; the frequencies of a flatter picture are noise
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
_MIRROR = np.where(_HORIZONTAL % 2, -1.0, 1.0).astype(np.float32)

FINGERPRINT = np.dtype([("shape", "<f2", 64), ("colour", "i1", (CELLS, CELLS, 2))])
"""shape: 64 weighted frequencies as a vector of unit length. colour: red and blue against green."""


@dataclass(frozen=True)
class NearConfig(Config):
    """When two pictures count as near duplicates. All three must hold.

    The defaults were chosen by looking at pairs of Flickr8k (33 million): they find a picture after
    JPEG at quality 10, any resizing, strong changes of brightness, and cropping by 2.5 % a side, and
    pictures of one burst; the most similar unrelated pair within 16 bits has similarity 0.815.
    """

    distance: int = 16
    """Most bits of the 64-bit hash that may differ."""
    similarity: float = 0.83
    """Least cosine similarity of the weighted frequencies."""
    colour: int = 32
    """Greatest difference of colour in any sixteenth of the picture, in levels of 255 halved."""
    mirrored: bool = True
    """Also compare each picture with the others' mirror images."""

    def __post_init__(self) -> None:
        if not 0 <= self.distance <= 64 or not -1 <= self.similarity <= 1:
            raise ValueError(
                f"distance is {self.distance} and similarity {self.similarity}, "
                "expected 0 to 64 bits and a cosine"
            )


@dataclass(frozen=True)
class LikePairs:
    """Pairs of rows that look alike: first < second, all arrays of one length."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    distance: NDArray[np.int64]
    similarity: NDArray[np.float64]
    mirrored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)


def fingerprint(pixels: Pixels) -> bytes | None:
    """uint8 (H, W, 3) -> one FINGERPRINT as bytes; None where the picture is one flat colour."""
    picture = Image.fromarray(pixels)
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L"), dtype=np.float64)
    if grey.std() < MIN_CONTRAST:
        return None
    shape = (_DCT @ grey @ _DCT.T)[_VERTICAL, _HORIZONTAL] * _WEIGHTS
    cells = np.asarray(small.resize((CELLS, CELLS), Image.Resampling.BOX), dtype=np.float64)
    made = np.zeros((), FINGERPRINT)
    made["shape"] = shape / max(float(np.linalg.norm(shape)), 1e-12)
    made["colour"] = np.round((cells[..., ::2] - cells[..., 1:2]) / 2).clip(-127, 127)
    return made.tobytes()


def near_pairs(prints: list[bytes | None], config: NearConfig) -> LikePairs:
    """All pairs of pictures that look alike, ordered by row.

    Every pair is compared, in blocks: 10^5 pictures take about 20 seconds of one core, and twice
    that with mirror images. Rows without a fingerprint are in no pair.
    """
    rows = np.array([row for row, made in enumerate(prints) if made is not None], dtype=np.intp)
    table = np.frombuffer(b"".join(made for made in prints if made is not None), FINGERPRINT)
    signs = np.where(np.signbit(table["shape"]), np.float32(-1), np.float32(1))
    turns = (False, True) if config.mirrored else (False,)
    found = [
        verified
        for mirrored in turns
        for pairs in _candidates(signs, config.distance, mirrored)
        if len(verified := _verified(table, signs, *pairs, mirrored=mirrored, config=config))
    ]
    if not found:
        nothing = np.zeros(0, dtype=np.intp)
        return LikePairs(nothing, nothing, nothing, np.zeros(0), np.zeros(0, dtype=bool))
    first, second, distance, similarity, mirrored = (
        np.concatenate([getattr(pairs, name) for pairs in found])
        for name in ("first", "second", "distance", "similarity", "mirrored")
    )
    order = np.lexsort((mirrored, second, first))
    # A symmetric picture also resembles the other's mirror image: it is named once, unmirrored.
    order = order[np.r_[True, np.diff(first[order] * len(rows) + second[order]) != 0]]
    return LikePairs(
        rows[first[order]],
        rows[second[order]],
        distance[order],
        similarity[order],
        mirrored[order],
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
    signs: NDArray[np.float32], distance: int, mirrored: bool
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs (i < j) whose hashes differ in at most `distance` bits.

    Two vectors of 64 signs have the dot product 64 - 2 * distance, exact in float32, so the
    comparison is a matrix product, the fastest thing that a computer does.
    """
    others = signs * _MIRROR if mirrored else signs
    block = max(1, BLOCK_VALUES // max(1, len(signs)))
    for start in range(0, len(signs), block):
        agreement = signs[start : start + block] @ others[start:].T
        i, j = np.divmod(np.flatnonzero(agreement >= 64 - 2 * distance), agreement.shape[1])
        later = j > i
        yield i[later] + start, j[later] + start


def _verified(
    table: NDArray[np.void],
    signs: NDArray[np.float32],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    mirrored: bool,
    config: NearConfig,
) -> LikePairs:
    turn = _MIRROR if mirrored else np.ones(64, dtype=np.float32)
    shapes, colours = table["shape"], table["colour"]
    similarity = np.einsum(
        "pk,pk->p", shapes[first].astype(np.float64), shapes[second].astype(np.float64) * turn
    )
    theirs = colours[second][:, :, ::-1] if mirrored else colours[second]
    difference = np.abs(colours[first].astype(np.int64) - theirs).max(axis=(1, 2, 3))
    alike = (similarity >= config.similarity) & (difference <= config.colour)
    first, second = first[alike], second[alike]
    distance = (signs[first] != signs[second] * turn).sum(axis=1)
    kinds = np.full(len(first), mirrored)
    return LikePairs(first, second, distance, similarity[alike], kinds)
