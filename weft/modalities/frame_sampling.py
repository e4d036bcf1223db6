"""At which times of a video its frames are read."""

from dataclasses import dataclass
from typing import Literal

import torch

from weft.core.config import Settings
from weft.core.ranges import COUNT, POSITIVE, require


@dataclass(frozen=True)
class FrameSamplingConfig(Settings):
    """Which frames stand for a video."""

    method: Literal["uniform", "random", "dense"] = "uniform"
    """uniform: the middles of equal segments of the window. random: in training a random place of each segment
    (Wang et al., Temporal Segment Networks, 2016, section 3.1), else as uniform. dense: `rate` frames a second, from
    the window's start."""
    frames: int = 8
    """How many frames; with dense the most of them, a shorter video has fewer."""
    seconds: float | None = None
    """Length of the window, in training at a random place, else in the middle; None: the whole video."""
    rate: float = 8.0
    """With dense: frames a second."""

    def __post_init__(self) -> None:
        require(self, frames=COUNT, seconds=POSITIVE, rate=POSITIVE)

    def window(self, length: float) -> float:
        """Seconds of the window in a video of so many."""
        whole = length if self.seconds is None else min(self.seconds, length)
        return min(whole, self.frames / self.rate) if self.method == "dense" else whole

    def times(self, length: float, place: float, generator: torch.Generator | None) -> list[float]:
        """Seconds from the video's start, rising.

        length: of the video, in seconds. place: of the window, from 0 (at the start) to 1 (at the end). generator:
        of training, else None.
        """
        window = self.window(length)
        start = place * (length - window)
        if self.method == "dense":
            count = min(self.frames, max(1, int(window * self.rate + 1e-6)))
            return [start + number / self.rate for number in range(count)]
        if self.method == "random" and generator is not None:
            within = torch.rand(self.frames, generator=generator).tolist()
        else:
            within = [0.5] * self.frames
        segment = window / self.frames
        return [start + (number + share) * segment for number, share in enumerate(within)]
