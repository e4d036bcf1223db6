"""Several pictures for each row: the views of a product, the X-rays of a patient."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Picture
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Modality, views_of
from weft.core.kinds import Kind
from weft.core.media import Media
from weft.core.ranges import COUNT, require
from weft.core.records import Field
from weft.modalities.image import ImageConfig
from weft.modalities.parts import PanelParts


class Pictures(PanelParts):
    """A picture, or a list of them -> uint8 (N, 3, S, S); the first `most` of them.

    Each is read and transformed by `image`. Evaluation views are those of the pictures.
    """

    media: Kind = "image"

    def __init__(self, config: "PicturesConfig") -> None:
        self.config = config
        self._image = config.image.build()
        self.views = views_of(self._image)

    def decode(self, raw: Any) -> list[Any]:
        """Raises WeftError unless it is a picture, or a list of at least one."""
        pictures = list(raw) if isinstance(raw, list | tuple) else [raw]
        if not pictures:
            raise WeftError(f"is {brief(raw)}, expected one picture or more")
        return [self._image.decode(one) for one in pictures[: self.config.most]]

    def transform(
        self, item: Sequence[Any], *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        """(N, 3, S, S)"""
        found = [
            self._image.transform(one, train=train, generator=generator, view=view) for one in item
        ]
        return torch.stack(found)

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B rows -> Field of uint8 (B, N, 3, S, S) with a mask (B, N), True for real pictures."""
        return stacked(items)

    def show(self, raw: Any) -> Display:
        """Each picture."""
        pictures = raw if isinstance(raw, list | tuple) else [raw]
        return Display(pictures=tuple(Picture(one) for one in pictures if isinstance(one, Media)))


def stacked(items: Sequence[Tensor]) -> Field:
    """B rows (N, ...) of different N -> Field (B, N, ...), padded with zeros, with a mask (B, N)."""
    counts = torch.tensor([len(item) for item in items])
    mask_BN = torch.arange(int(counts.max()))[None] < counts[:, None]
    values = items[0].new_zeros(*mask_BN.shape, *items[0].shape[1:])
    values[mask_BN] = torch.cat(list(items))
    return Field(values, mask_BN)


@dataclass(frozen=True)
class PicturesConfig(Config[Modality]):
    """Several pictures for each row."""

    image: ImageConfig = field(default_factory=ImageConfig)
    """How each picture is read."""
    most: int = 4
    """Maximum pictures of a row. Of more, the first ones are read."""

    def __post_init__(self) -> None:
        require(self, most=COUNT)

    def build(self) -> Pictures:
        return Pictures(self)
