"""Logits of the attributes of the object in each cell of a grid."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape


class CellClassifier(nn.Module):
    """(B, T, D) tokens, one for each cell, -> (B, T, sum over attributes of their classes + 1) by linear maps."""

    def __init__(self, config: "CellClassifierConfig") -> None:
        super().__init__()
        self.config = config
        # Each attribute has its own map, so that a colour is learned from all shapes.
        self.maps = nn.ModuleList(nn.Linear(config.in_dim, n + 1) for n in config.classes)

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:  # noqa: ARG002
        """Reads no prefix."""
        check_shape(context.tokens, "B T D", "the cells", D=self.config.in_dim)
        return torch.cat([one(context.tokens) for one in self.maps], dim=2)


@dataclass(frozen=True)
class CellClassifierConfig(Config[Decoder]):
    """Predicts the attributes of the object in each cell of a grid."""

    in_dim: int
    """Width of the tokens."""
    classes: tuple[int, ...]
    """Classes of each attribute, without that of nothing."""

    def __post_init__(self) -> None:
        require(self, in_dim=COUNT, classes=COUNT)
        if not self.classes:
            raise ValueError("classes is (), expected the number of classes of each attribute")

    @property
    def outputs(self) -> int:
        return sum(self.classes) + len(self.classes)

    def build(self) -> CellClassifier:
        return CellClassifier(self)
