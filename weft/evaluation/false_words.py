"""Words a minute that a recogniser writes for sounds without speech, and sounds to measure it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.core.language import say
from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.word_errors import normalise

PIECE = 5.0
"""Length of each piece of silence or noise, in seconds."""
SOFTEST, LOUDEST = -60.0, -10.0
"""Power of the white noise in decibels of full scale. The power of each piece is sampled separately."""
NONE_SEEN = 3.0
"""Upper bound of a Poisson mean, at 95 %, if no event was observed (Hanley & Lippman-Hand 1983)."""


@dataclass(frozen=True)
class WordsAMinute:
    """Number of written words, minutes of sound, and words a minute."""

    words: int
    minutes: float
    rate: Estimate

    def line(self, of: str) -> str:
        """Formats a line for people. of: name of the sounds."""
        low, high = self.rate.low, self.rate.high
        found = say(
            f"{self.words} words in {self.minutes:.1f} minutes: {self.rate.value:.2f} a minute "
            f"({low:.2f} – {high:.2f})"
        )
        return f"{of}: {found}"


def words_a_minute(texts: Sequence[str], seconds: Sequence[float]) -> WordsAMinute:
    """Counts the words for recordings of these lengths. The interval is a bootstrap over recordings. If no word was
    written, it is 0 to 3 words in the total time.

    Raises ValueError if there are no recordings.
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
    """Returns pieces (S,) of PIECE seconds, at least `minutes` in total."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(pieces(minutes)):
        power = 10 ** (generator.uniform(SOFTEST, LOUDEST) / 20)
        noise_S = power * generator.standard_normal(round(PIECE * rate))
        found.append(noise_S.astype(np.float32).clip(-1, 1))
    return found


def pieces(minutes: float) -> int:
    """Returns the number of pieces in this many minutes."""
    return max(1, int(np.ceil(minutes * 60 / PIECE - 1e-9)))
