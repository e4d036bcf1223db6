"""Words that a recogniser writes where nothing is said, by the minute, and sounds in which nothing is said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.core.language import say
from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.word_errors import normalise

PIECE = 5.0
"""Seconds of each piece of silence or noise."""
SOFTEST, LOUDEST = -60.0, -10.0
"""Power of white noise in decibels of full scale; drawn anew for each piece."""
NONE_SEEN = 3.0
"""Upper bound of the mean of a Poisson distribution, at 95 %, where no event was seen (Hanley & Lippman-Hand 1983)."""


@dataclass(frozen=True)
class WordsAMinute:
    """How many words were written in how many minutes, and how many that is a minute."""

    words: int
    minutes: float
    rate: Estimate

    def line(self, of: str) -> str:
        """What people read. of: which sounds."""
        low, high = self.rate.low, self.rate.high
        found = say(
            f"{self.words} words in {self.minutes:.1f} minutes: {self.rate.value:.2f} a minute "
            f"({low:.2f} – {high:.2f})"
        )
        return f"{of}: {found}"


def words_a_minute(texts: Sequence[str], seconds: Sequence[float]) -> WordsAMinute:
    """Of recordings of these lengths; the interval is a bootstrap over recordings, and where no word was written from 0
    to 3 words in all the time.

    Raises ValueError where there is none.
    """
    words_N = np.array([len(normalise(text).split()) for text in texts], dtype=np.float64)
    minutes_N = np.asarray(seconds, dtype=np.float64) / 60
    places_N = np.arange(len(words_N))
    rates = Bootstrap(places_N).ratios(words_N[:, None], minutes_N[:, None], places_N)
    rate, minutes = rates[0].estimate(), float(minutes_N.sum())
    if not words_N.any():
        rate = Estimate(0.0, 0.0, NONE_SEEN / minutes, len(words_N))
    return WordsAMinute(int(words_N.sum()), minutes, rate)


def white_noise(rate: int, minutes: float, seed: int = 0) -> list[NDArray[np.float32]]:
    """Pieces (S,) of PIECE seconds, of at least `minutes` together."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(pieces(minutes)):
        power = 10 ** (generator.uniform(SOFTEST, LOUDEST) / 20)
        noise_S = power * generator.standard_normal(round(PIECE * rate))
        found.append(noise_S.astype(np.float32).clip(-1, 1))
    return found


def pieces(minutes: float) -> int:
    """How many pieces are so many minutes."""
    return max(1, int(np.ceil(minutes * 60 / PIECE - 1e-9)))
