"""Pictures of several panels: the boxes of an NLVR picture in a row, or several pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Picture
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.kinds import Kind
from weft.core.media import Media, expected
from weft.core.records import Field
from weft.modalities.image_decoding import read_image
from weft.modalities.parts import PanelParts


class ImageSequence(PanelParts):
    """One picture with several panels of the same size in a row -> the separate panels.

    Evaluation views are the panels in other orders: view v starts with panel v.
    """

    media: Kind = "image"

    def __init__(self, config: "ImageSequenceConfig") -> None:
        self.config = config
        self.views = config.count if config.eval_orders else 1

    def decode(self, raw: Media) -> Tensor:
        """uint8 RGB (P, 3, H, W). Raises WeftError for a picture that does not divide into panels."""
        content = expected(raw, self.media).load()
        pixels_HWC = read_image(content, max_pixels=self.config.max_pixels)
        count, gap = self.config.count, self.config.gap
        width, rest = divmod(pixels_HWC.shape[1] - (count - 1) * gap, count)
        if rest or width < 1:
            raise WeftError(
                f"picture is {pixels_HWC.shape[1]} pixels wide, expected {count} panels of one "
                f"width with {gap} pixels between them"
            )
        starts = range(0, count * (width + gap), width + gap)
        panels = [_shrunk(pixels_HWC[:, x : x + width], self.config.shrink) for x in starts]
        return torch.from_numpy(np.stack(panels)).permute(0, 3, 1, 2)

    def transform(
        self, item: Tensor, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        """uint8 (P, 3, H, W) -> the same, possibly in another order."""
        if train and self.config.shuffle:
            item = item[torch.randperm(len(item), generator=generator)]
        elif not train and view:
            item = item.roll(-view, 0)
        return item

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B pictures (P, 3, H, W) -> Field of uint8 (B, P, 3, H, W) without a mask."""
        return Field(torch.stack(tuple(items)))

    def show(self, raw: Any) -> Display:
        """The panels in one picture."""
        return Display(pictures=(Picture(raw),))


def _shrunk(pixels_HWC: np.ndarray, factor: int) -> np.ndarray:
    """Averages squares of pixels; remaining pixels at the right and bottom edge are cut off."""
    if factor == 1:
        return pixels_HWC
    height, width = (side // factor * factor for side in pixels_HWC.shape[:2])
    sums = np.zeros((height // factor, width // factor, 3), np.uint32)
    for down in range(factor):
        for right in range(factor):
            sums += pixels_HWC[down:height:factor, right:width:factor]
    return (sums // factor**2).astype(np.uint8)


@dataclass(frozen=True)
class ImageSequenceConfig(Config[Modality]):
    """Pictures of several panels side by side; each panel is read by itself."""

    count: int = 3
    """Number of panels in a picture."""
    gap: int = 50
    """Pixels between two panels in the file."""
    shrink: int = 2
    """Side of the square of pixels that is averaged to one pixel."""
    shuffle: bool = True
    """Training: use a random order of panels. Only if the order means nothing."""
    eval_orders: bool = False
    """Evaluation views: one for each panel, starting with that panel."""
    max_pixels: int = 100_000_000
    """Maximum pixels of a picture. Larger ones are refused before decoding."""

    def __post_init__(self) -> None:
        for name, least in {"count": 1, "gap": 0, "shrink": 1, "max_pixels": 1}.items():
            if vars(self)[name] < least:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least {least}")

    def build(self) -> ImageSequence:
        return ImageSequence(self)
