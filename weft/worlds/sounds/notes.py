"""Notes -> samples: harmonics of a pitch, weighted by a timbre, under an envelope."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.worlds.scenes.world import COLORS, SHAPES

Samples = NDArray[np.float32]

PITCHES = {color: 165.0 * 2 ** (3 * number / 12) for number, color in enumerate(COLORS)}
"""Colour -> fundamental frequency in Hz: minor thirds from 165 Hz to 785 Hz, whose fifth harmonic is below 4 kHz."""
LOUDNESS = {"small": 0.08, "large": 0.24}
"""Size -> peak amplitude of a note, as a share of full scale. The two are 9.5 dB apart."""
_RELEASE = 0.01
"""Seconds of the fade in and the fade out of a note, so that it does not click."""


@dataclass(frozen=True, slots=True)
class Timbre:
    """harmonics: amplitudes of the pitch and its multiples. decay: seconds in which a note falls by 20 dB; None: no
    decay. tremolo: frequency of the changes of loudness, in Hz.
    """

    harmonics: tuple[float, ...]
    decay: float | None = None
    tremolo: float = 0.0


TIMBRES = dict(
    zip(
        SHAPES,
        (
            Timbre((1.0,)),
            Timbre((1.0, 0.0, 0.8, 0.0, 0.6)),
            Timbre((1.0, 0.8, 0.6, 0.4, 0.3)),
            Timbre((0.5, 1.0), decay=0.15),
            Timbre((1.0, 0.0, 0.0, 0.9)),
            Timbre((1.0, 0.0, 0.0, 0.0, 0.9), decay=0.15),
            Timbre((1.0, 0.0, 0.9), decay=0.15),
            Timbre((1.0, 0.9), tremolo=30.0),
            Timbre((1.0,), tremolo=30.0),
            Timbre((0.6, 0.0, 1.0)),
        ),
        strict=True,
    )
)
"""Shape -> timbre."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note for an object with that shape, colour and size. start: in seconds. seconds: its length."""

    start: float
    seconds: float
    shape: str
    color: str
    size: str


def render(notes: Iterable[Note], seconds: float, rate: int) -> Samples:
    """(S,) float32 samples of all notes together, in [-1, 1], cut off at `seconds`."""
    samples = np.zeros(round(seconds * rate), np.float32)
    for note in notes:
        begin = round(note.start * rate)
        played = _played(note.shape, note.color, note.size, note.seconds, rate)
        end = min(len(samples), begin + len(played))
        samples[begin:end] += played[: end - begin]
    return samples


@functools.lru_cache(maxsize=2048)
def _played(shape: str, color: str, size: str, seconds: float, rate: int) -> Samples:
    """Samples of one note. Harmonics above half of the sampling rate are left out."""
    timbre, pitch = TIMBRES[shape], PITCHES[color]
    times = np.arange(round(seconds * rate)) / rate
    wave = np.zeros_like(times)
    for number, amplitude in enumerate(timbre.harmonics, 1):
        if number * pitch < rate / 2:
            wave += amplitude * np.sin(2 * np.pi * number * pitch * times)
    wave /= sum(timbre.harmonics)
    edges = np.minimum(times, seconds - times) / _RELEASE
    wave *= np.clip(edges, 0, 1)
    if timbre.decay is not None:
        wave *= 10 ** (-times / timbre.decay)
    if timbre.tremolo:
        wave *= 0.5 + 0.5 * np.cos(2 * np.pi * timbre.tremolo * times)
    return (LOUDNESS[size] * wave).astype(np.float32)
