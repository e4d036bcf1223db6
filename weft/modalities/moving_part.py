"""The part of a clip that moves most, such as the mouth of a speaker, found without any model of what it shows."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from weft.core.config import Settings
from weft.core.ranges import POSITIVE_SHARE, SHARE_BELOW_1, require

Frames = NDArray[np.uint8]
GREY, DEVIATION = 128, 40
"""Of pictures of changes."""
WIDER = 1.5
"""The window in which motion is counted is so many times as wide as high."""


@dataclass(frozen=True)
class MovingPartConfig(Settings):
    """A square that is cut out of all frames of a clip at one place: where they change most from frame to frame."""

    share: float = 0.35
    """Its side, as a share of the shorter side of a frame."""
    window: float = 0.14
    """Height of the window whose changes are summed to find the place, as a share of the frame's height."""
    change: bool = False
    """Whether what is seen is how each frame differs from the mean of the clip's frames, grey where it does not: the same
    mouth then looks the same whatever the light, and parts of several clips can be put together."""
    shift: float = 0.0
    """Training: most that the square is moved in each direction, at random, as a share of its side."""

    def __post_init__(self) -> None:
        require(self, share=POSITIVE_SHARE, window=POSITIVE_SHARE, shift=SHARE_BELOW_1)

    def cut(self, frames: Frames) -> Frames:
        """(F, H, W, 3) -> (F, S, S, 3) the square, and around it what random shifts need, within the frame."""
        height, width = frames.shape[1:3]
        y, x = moving_place(frames, self.window)
        side = round(self.share * min(height, width) * (1 + 2 * self.shift))
        side = max(1, min(side, height, width))
        top = min(max(0, y - side // 2), height - side)
        left = min(max(0, x - side // 2), width - side)
        found = frames[:, top : top + side, left : left + side]
        return changes(found) if self.change else np.ascontiguousarray(found)

    def shifted(self, frames: Frames, generator: torch.Generator | None) -> Frames:
        """The square out of what `cut` gives: at a random place of it, without a generator in its middle."""
        room = frames.shape[1]
        side = max(1, round(room / (1 + 2 * self.shift)))
        places = [0.5, 0.5] if generator is None else torch.rand(2, generator=generator).tolist()
        top, left = (round(place * (room - side)) for place in places)
        return frames[:, top : top + side, left : left + side]


def changes(frames: Frames) -> Frames:
    """(F, H, W, C) how each frame differs from their mean: GREY where it does not, so that the standard deviation is
    DEVIATION, and what is farther away than that allows is black or white."""
    values = frames.astype(np.float32)
    values -= values.mean(0)
    values *= DEVIATION / max(float(values.std()), 1e-3)
    return (values + GREY).round().clip(0, 255).astype(np.uint8)


def moving_place(frames: Frames, window: float) -> tuple[int, int]:
    """(y, x) the middle of the window with most change; of a clip without change that of the frame.

    Change is the size of the second difference over time: a head that sways changes evenly, a mouth back and forth.
    Of fewer than three frames it is the first difference.
    """
    height, width = frames.shape[1:3]
    grey_FHW = torch.from_numpy(frames).float().mean(3)
    change_FHW = grey_FHW.diff(dim=0, n=2 if len(frames) > 2 else 1).abs()
    if not len(change_FHW) or not change_FHW.any():
        return height // 2, width // 2
    high = min(height, round(window * height) | 1)
    wide = min(width, round(WIDER * window * height) | 1)
    sums = F.avg_pool2d(change_FHW.mean(0)[None, None], (high, wide), stride=1)[0, 0]
    y, x = divmod(int(sums.argmax()), sums.shape[1])
    return y + high // 2, x + wide // 2
