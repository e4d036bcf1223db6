"""Finds the part of a clip that moves most, such as a speaker's mouth, without a model of its content.

In a single clip the eyes may move more than the mouth. Therefore the appearance of that part is learned over the
training clips by aligning them (congealing; compare Learned-Miller 2006, Data driven image models through continuous
joint alignment), and then searched in each clip.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.ranges import COUNT, POSITIVE_SHARE, SHARE_BELOW_1, require

Frames = NDArray[np.uint8]
GREY, DEVIATION = 128, 40
"""Mean and standard deviation of pictures of changes."""
WIDER = 1.5
"""Width of the window in which motion is summed, as a multiple of its height."""
LOOK = 2.0
"""Side of the learned appearance, as a multiple of that window's side."""
SIDE = 128
"""Shorter side of the pictures in which the part is searched, in pixels."""
ROUNDS = 8
"""Maximum number of rounds of searching and relearning."""
FLAT = 2.0
"""Minimum standard deviation of grey levels for a comparison: nothing can be found in a flat area."""


class MovingPart:
    """A square that is cut from all frames of a clip at the same position.

    look: the appearance to search for, (h, w) grey levels of mean 0 and deviation 1. None before `learn` or
    `restore`; then the square is where the clip changes most.
    """

    def __init__(self, config: "MovingPartConfig") -> None:
        self.config = config
        self.look: Tensor | None = None

    def learn(self, clips: Sequence["Seen"]) -> None:
        """Learns the appearance: starts with the clips around their positions of most change, averages them, searches
        the result in all clips, and repeats until the positions stay. Some of the first positions are wrong, so
        the first appearance is a median."""
        if not clips:
            return
        places = [clip.moving for clip in clips]
        for number in range(ROUNDS):
            around = torch.stack(
                [
                    _around(clip.grey, place, self.config.window)
                    for clip, place in zip(clips, places, strict=True)
                ]
            )
            self.look = _normal(around.median(0).values if number == 0 else around.mean(0))
            found = [looked_for(clip.grey, self.look) for clip in clips]
            if found == places:
                return
            places = found

    def state(self) -> list[list[float]]:
        """Returns the appearance as JSON values; empty before learning."""
        return (
            [] if self.look is None else [[round(v, 3) for v in row] for row in self.look.tolist()]
        )

    def restore(self, state: Any) -> None:
        """Raises WeftError unless `state` comes from `state()`."""
        try:
            look = torch.tensor(state, dtype=torch.float32)
        except (TypeError, ValueError):
            look = torch.zeros(1)
        if state != [] and look.dim() != 2:
            raise WeftError(
                f"the saved appearance of the moving part is {state!r:.60}, expected rows of numbers"
            )
        self.look = look if state else None

    @property
    def key(self) -> Hashable:
        """The cut depends only on this key and the frames."""
        return self.config, None if self.look is None else self.look.numpy().tobytes()

    def place(self, frames: Frames) -> tuple[int, int]:
        """(y, x) the middle of the part in frames (F, H, W, 3)."""
        if self.look is None:
            return moving_place(frames, self.config.window)
        grey, scale = _small(frames)
        y, x = looked_for(grey, self.look)
        return round(y / scale), round(x / scale)

    def cut(self, frames: Frames) -> Frames:
        """(F, H, W, 3) -> (F, S, S, 3) the square with a margin for random shifts, within the frame."""
        config = self.config
        height, width = frames.shape[1:3]
        y, x = self.place(frames)
        side = round(config.share * min(height, width) * (1 + 2 * config.shift))
        side = max(1, min(side, height, width))
        top = min(max(0, y - side // 2), height - side)
        left = min(max(0, x - side // 2), width - side)
        found = frames[:, top : top + side, left : left + side]
        return changes(found) if config.change else np.ascontiguousarray(found)

    def shifted(self, frames: Frames, generator: torch.Generator | None) -> Frames:
        """Takes the square from the output of `cut`: at a random position, or in the middle without a generator."""
        room = frames.shape[1]
        side = max(1, round(room / (1 + 2 * self.config.shift)))
        places = [0.5, 0.5] if generator is None else torch.rand(2, generator=generator).tolist()
        top, left = (round(place * (room - side)) for place in places)
        return frames[:, top : top + side, left : left + side]


@dataclass(frozen=True)
class Seen:
    """Data of a clip for learning: its mean picture, grey and small, and the position of most change."""

    grey: Tensor
    moving: tuple[int, int]

    @classmethod
    def of(cls, frames: Frames, window: float) -> "Seen":
        grey, scale = _small(frames)
        y, x = moving_place(frames, window)
        return cls(grey, (round(y * scale), round(x * scale)))


@dataclass(frozen=True)
class MovingPartConfig(Config[MovingPart]):
    """A square that is cut from all frames of a clip at one position: the part that changes most in most training
    clips."""

    share: float = 0.35
    """Side of the square, as a share of the shorter side of a frame."""
    window: float = 0.14
    """Height of the window whose changes are summed to find the place, as a share of the frame's height."""
    change: bool = False
    """If true, show each frame's difference from the clip's mean frame, grey where there is none. A mouth then looks
    the same in any light, and parts of several clips can be spliced."""
    shift: float = 0.0
    """Training: maximum random shift of the square in each direction, as a share of its side."""

    learned_from: int = 300
    """Maximum number of training clips from which the appearance is learned."""

    def __post_init__(self) -> None:
        require(
            self, share=POSITIVE_SHARE, window=POSITIVE_SHARE, shift=SHARE_BELOW_1,
            learned_from=COUNT,
        )  # fmt: skip

    def build(self) -> MovingPart:
        return MovingPart(self)


def changes(frames: Frames) -> Frames:
    """(F, H, W, C) difference of each frame from their mean. No difference is GREY, the standard deviation is
    DEVIATION, and values beyond the range are black or white."""
    values = frames.astype(np.float32)
    values -= values.mean(0)
    values *= DEVIATION / max(float(values.std()), 1e-3)
    return (values + GREY).round().clip(0, 255).astype(np.uint8)


def moving_place(frames: Frames, window: float) -> tuple[int, int]:
    """(y, x) the middle of the window with most change; for a clip without change the middle of the frame.

    Change is the magnitude of the second difference over time: a swaying head moves evenly, a mouth back and forth.
    For fewer than three frames it is the first difference.
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


def looked_for(grey: Tensor, look: Tensor) -> tuple[int, int]:
    """(y, x) the middle of the part of a picture (H, W) most similar to `look` (h, w), by normalised correlation; the
    middle of the picture if it is smaller."""
    (height, width), (high, wide) = grey.shape, look.shape
    if high > height or wide > width:
        return height // 2, width // 2
    picture = grey - grey.mean()
    box = torch.full_like(look, 1 / look.numel())
    squares, means = _products(picture.square(), box), _products(picture, box)
    deviation = (squares - means.square()).clamp_min(0).sqrt().clamp_min(FLAT)
    like = _products(picture, look) / deviation
    y, x = divmod(int(like.argmax()), like.shape[1])
    return y + high // 2, x + wide // 2


def _products(picture: Tensor, part: Tensor) -> Tensor:
    """(H - h + 1, W - w + 1) the correlation of `part` with the picture, by Fourier transforms."""
    (height, width), (high, wide) = picture.shape, part.shape
    of_part = torch.fft.rfft2(part, s=picture.shape).conj()
    found: Tensor = torch.fft.irfft2(torch.fft.rfft2(picture) * of_part, s=picture.shape)
    return found[: height - high + 1, : width - wide + 1]


def _small(frames: Frames) -> tuple[Tensor, float]:
    """Returns (H, W) the mean of the frames in grey levels, with a shorter side of SIDE pixels, and the scale."""
    grey = torch.from_numpy(frames.mean((0, 3), dtype=np.float32))
    scale = SIDE / min(grey.shape)
    size = [max(1, round(side * scale)) for side in grey.shape]
    small = F.interpolate(grey[None, None], size=size, mode="bilinear", antialias=True)
    return small[0, 0], scale


def _around(grey: Tensor, place: tuple[int, int], window: float) -> Tensor:
    """Returns the normalised area around a position, moved so that it lies within the picture."""
    height, width = grey.shape
    high = min(height, round(LOOK * window * height))
    wide = min(width, round(LOOK * WIDER * window * height))
    top = min(max(0, place[0] - high // 2), height - high)
    left = min(max(0, place[1] - wide // 2), width - wide)
    return _normal(grey[top : top + high, left : left + wide])


def _normal(grey: Tensor) -> Tensor:
    return (grey - grey.mean()) / grey.std(correction=0).clamp_min(1e-3)
