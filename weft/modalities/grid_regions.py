"""A grid instead of a detector: the cells of a picture as regions with boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.interfaces import Modality
from weft.core.kinds import Kind
from weft.core.media import Media
from weft.core.records import Field
from weft.modalities.image import ImageConfig


class GridRegions:
    """Pictures as regions: each cell of a grid with its box, and its pixels as features.

    This is the input of region models (ViLBERT, LXMERT, VisualBERT) without a detector. Jiang et al. 2020,
    arXiv:2001.03615, found grids as good as boxes, with a CNN's features.
    """

    media: Kind = "image"

    def __init__(self, config: "GridRegionsConfig") -> None:
        self.config = config
        self._image = config.picture.build()
        self.views = self._image.views

    def decode(self, raw: Media) -> Tensor:
        """uint8 RGB (3, H, W). Raises WeftError without the source; the caller adds it."""
        return self._image.decode(raw)

    def transform(
        self, item: Tensor, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        """uint8 (3, H, W) -> (R, 4 + F) fp32: left, top, right, bottom in [0, 1], pixels in [-1, 1].

        Cells row by row; F is 3 for each pixel of a cell.
        """
        picture = self._image.transform(item, train=train, generator=generator, view=view)
        cells, side = self.config.cells, self.config.picture.size // self.config.cells
        pixels = picture.view(3, cells, side, cells, side).permute(1, 3, 0, 2, 4)
        features_RF = pixels.reshape(cells * cells, -1).float() / 127.5 - 1
        return torch.cat([grid_boxes(cells), features_RF], dim=1)

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B grids -> Field (B, R, 4 + F) without a mask."""
        return Field(torch.stack(tuple(items)))


def grid_boxes(cells: int) -> Tensor:
    """(cells * cells, 4): left, top, right, bottom of each cell in [0, 1], row by row."""
    edge = torch.arange(cells) / cells
    top, left = torch.meshgrid(edge, edge, indexing="ij")
    corner_R2 = torch.stack([left, top], dim=2).flatten(0, 1)
    return torch.cat([corner_R2, corner_R2 + 1 / cells], dim=1)


@dataclass(frozen=True)
class GridRegionsConfig(Config[Modality]):
    """The cells of a picture as regions, for models that read regions; needs no detector."""

    picture: ImageConfig = field(default_factory=ImageConfig)
    """Reads pictures, augments them and resizes them."""
    cells: int = 14
    """Cells along each side; a divisor of the picture's size."""

    def __post_init__(self) -> None:
        if self.cells < 1 or self.picture.size % self.cells:
            raise ValueError(
                f"cells is {self.cells}, expected a divisor of picture.size, {self.picture.size}"
            )

    @property
    def feature_dim(self) -> int:
        """Width F of a region's features."""
        side = self.picture.size // self.cells
        return 3 * side * side

    def build(self) -> GridRegions:
        return GridRegions(self)
