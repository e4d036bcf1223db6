"""The times of a video at which its frames are read."""

from dataclasses import dataclass
from typing import Literal

import torch

from weft.core.config import Settings
from weft.core.ranges import COUNT, POSITIVE, require


@dataclass(frozen=True)
class FrameSamplingConfig(Settings):
    """Which frames of a video are read."""

    method: Literal["uniform", "random", "dense"] = "uniform"
    """uniform: the middles of equal segments of the window. random: in training a random time in each segment (Wang
    et al., Temporal Segment Networks, 2016, section 3.1), else like uniform. dense: `rate` frames a second, from
    the window's start."""
    frames: int = 8
    """Number of frames. With dense the maximum; a shorter video has fewer."""
    seconds: float | None = None
    """Length of the window in seconds, at a random position in training, else in the middle; None: the whole video."""
    rate: float = 8.0
    """With dense: frames a second."""

    def __post_init__(self) -> None:
        require(self, frames=COUNT, seconds=POSITIVE, rate=POSITIVE)

    def window(self, length: float) -> float:
        """Returns the seconds of the window in a video of this length."""
        whole = length if self.seconds is None else min(self.seconds, length)
        return min(whole, self.frames / self.rate) if self.method == "dense" else whole

    def times(self, length: float, place: float, generator: torch.Generator | None) -> list[float]:
        """Returns ascending times in seconds from the video's start.

        length: of the video, in seconds. place: of the window, from 0 (at the start) to 1 (at the end). generator: in
        training, else None.
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
