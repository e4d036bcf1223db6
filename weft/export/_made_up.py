"""Generated values to try a tower with when no rows are available."""

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import numpy as np

from weft.core.interfaces import Modality
from weft.core.media import Media
from weft.modalities.stream_kinds import kind_of_stream

WORDS = [
    "a",
    "photo",
    "of",
    "two",
    "dogs",
    "that",
    "run",
    "along",
    "the",
    "beach",
    "beside",
    "the",
    "sea",
]
LENGTHS = (10, 8, 12, 9, 3, 2, 7, 11, 4, 13, 6, 5)
"""Number of words of the texts, in turn."""
RATE = 16_000


def made_up(modality: Modality, count: int) -> list[Any]:
    """Generated texts, pictures, sounds or videos of several lengths, the same in each call; empty for any other
    stream.
    """
    make = _MAKERS.get(kind_of_stream(modality))
    generator = np.random.default_rng(0)
    lengths = islice(cycle(LENGTHS), count)
    return [] if make is None else [make(generator, length) for length in lengths]


def _text(generator: np.random.Generator, length: int) -> str:  # noqa: ARG001
    return " ".join(WORDS[:length])


def _picture(generator: np.random.Generator, length: int) -> Media:  # noqa: ARG001
    return Media.array_of(generator.integers(0, 256, (240, 320, 3), dtype=np.uint8), "image")


def _sound(generator: np.random.Generator, length: int) -> Media:
    samples = generator.normal(0, 0.1, length * RATE // 5)
    return Media.sound(samples.astype(np.float32), RATE)


def _video(generator: np.random.Generator, length: int) -> Media:  # noqa: ARG001
    return Media.frames(generator.integers(0, 256, (50, 120, 160, 3), dtype=np.uint8), 25)


_MAKERS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "text": _text,
    "image": _picture,
    "audio": _sound,
    "video": _video,
}
