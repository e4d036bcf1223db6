"""Perceptual fingerprints of pictures, to find pictures that look alike (`near_duplicates`).

- A picture becomes a 32 x 32 grey thumbnail, and that its 64 lowest frequencies (discrete cosine transform; Ahmed,
  Natarajan and Rao, 1974).
- The signs of the frequencies are the 64-bit hash. Changes of size, brightness, contrast or compression hardly change
  it.
- The values decide about the pairs that the hash proposes. Each is weighted with its frequency, because photographs
  contain less of the higher ones.
- Mirror images and rotations by 90, 180 and 270 degrees only change signs of odd frequencies and swap horizontal with
  vertical ones. They therefore need no second pass over the pictures.
- A picture with a frame of one colour has a second fingerprint without the frame.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
CELLS = 4
MIN_CONTRAST = 1.5  # grey levels; the frequencies of a flatter picture are noise
FRAME_TOLERANCE = 6  # grey levels; maximum mean difference of a frame's line from its colour

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
    """One of the eight symmetries of a square: an optional transposition, then flips."""

    name: str
    transposed: bool
    upside_down: bool
    mirrored: bool

    @property
    def order(self) -> NDArray[np.intp]:
        """(64,): the source index of each frequency."""
        if not self.transposed:
            return np.arange(64)
        place = {pair: n for n, pair in enumerate(zip(_VERTICAL, _HORIZONTAL, strict=True))}
        return np.array([place[v, u] for u, v in zip(_VERTICAL, _HORIZONTAL, strict=True)])

    @property
    def signs(self) -> NDArray[np.float32]:
        """(64,): the sign of each frequency."""
        odd = _VERTICAL * self.upside_down + _HORIZONTAL * self.mirrored
        return np.where(odd % 2, np.float32(-1), np.float32(1))

    def shapes(self, shapes_NK: NDArray[Any]) -> NDArray[Any]:
        """Returns the frequencies, or their signs, of the turned pictures."""
        turned: NDArray[Any] = shapes_NK[:, self.order] * self.signs
        return turned

    def colours(self, colours_NHWC: NDArray[Any]) -> NDArray[Any]:
        """Returns the colour cells of the turned pictures."""
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
"""The unturned one comes first: a symmetric picture is named by the first turn that fits."""

FINGERPRINT = np.dtype([("shape", "<f2", 64), ("colour", "i1", (CELLS, CELLS, 2))])
"""shape: 64 weighted frequencies as a vector of unit length. colour: red and blue relative to green."""


def fingerprint(pixels: Pixels) -> bytes | None:
    """Maps uint8 (H, W, 3) to one FINGERPRINT as bytes, followed by a second one without the frame if there is one.
    None for a picture of one flat colour."""
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


def likeness(one: bytes, other: bytes) -> float:
    """Returns the largest cosine similarity between two pictures, each of which may have two fingerprints (see
    `fingerprint`)."""
    first, second = (
        np.frombuffer(made, FINGERPRINT)["shape"].astype(np.float64) for made in (one, other)
    )
    return float((first @ second.T).max())


def without_frame(pixels: Pixels) -> Pixels:
    """Removes lines of one colour from the edges, at most a quarter of the picture on each side."""
    for _ in range(2):
        start, stop = _frame(pixels), len(pixels) - _frame(pixels[::-1])
        pixels = pixels[start:stop].swapaxes(0, 1)
    return np.ascontiguousarray(pixels)


def _frame(pixels: Pixels) -> int:
    """Counts the first lines with the colour of the first one, by their mean, since JPEG blurs a frame."""
    edge = pixels[: len(pixels) // 4]
    if not len(edge):
        return 0
    colour = np.median(edge[0], axis=0).astype(np.float32)
    if np.abs(edge[0] - colour).mean() > FRAME_TOLERANCE:
        return 0  # true of most pictures, so their other lines need not be read
    away = np.abs(edge - colour).mean(axis=(1, 2)) > FRAME_TOLERANCE
    return int(away.argmax()) if away.any() else len(edge)
