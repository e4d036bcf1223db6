"""Regions of a picture: features of a detector's boxes, and the positions of the boxes."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, NOT_NEGATIVE, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.transformer import TransformerConfig

CORNERS = 4
"""Numbers of a box: left, top, right, bottom, as shares of the picture's width and height."""


class Regions(nn.Module):
    """Boxes with features -> one token for each region; pooled is their mean.

    Optionally blocks between the regions follow (LXMERT's object-relationship encoder, Tan & Bansal 2019,
    arXiv:1908.07490, section 2.2).
    """

    def __init__(self, config: "RegionsConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.feature = nn.Linear(config.feature_dim, config.dim)
        geometry = {"none": 0, "box": CORNERS, "box_area": CORNERS + 1}[config.position]
        self.position = nn.Linear(geometry, config.dim) if geometry else None
        each, both = config.norm == "each", config.norm == "sum"
        self.feature_norm = self._norm() if each else nn.Identity()
        self.position_norm = self._norm() if each and geometry else nn.Identity()
        self.norm = self._norm() if both else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.transformer = None if config.transformer is None else config.transformer.build()

    def _norm(self) -> nn.LayerNorm:
        return nn.LayerNorm(self.dim, eps=self.config.norm_eps)

    def forward(self, field: Field) -> Features:
        """Values (B, R, 4 + F): corners in [0, 1], then features; mask True for real regions."""
        width = CORNERS + self.config.feature_dim
        check_shape(field.values, "B R F", "regions (corners and features)", F=width)
        mask_BR = field.mask
        if mask_BR is None:
            mask_BR = torch.ones(
                field.values.shape[:2], dtype=torch.bool, device=field.values.device
            )
        packing = Packing.of(mask_BR)
        tokens_SD = self.embed(packing.pack(field.values).to(self.feature.weight.dtype))
        if self.transformer is not None:
            tokens_SD = self.transformer(tokens_SD, packing)
        tokens_BRD = packing.unpack(tokens_SD)
        return Features(tokens_BRD, mask_BR, pool(tokens_BRD, mask_BR, "mean"))

    def embed(self, regions_SF: Tensor) -> Tensor:
        """(S, D) from corners and features of S regions."""
        box_S4, features_SF = regions_SF[:, :CORNERS], regions_SF[:, CORNERS:]
        tokens_SD: Tensor = self.feature_norm(self.feature(features_SF))
        if self.position is not None:
            placed_SD = self.position_norm(self.position(self.geometry(box_S4)))
            # The mean of two normalised vectors keeps the scale of one.
            share = 0.5 if self.config.norm == "each" else 1.0
            tokens_SD = (tokens_SD + placed_SD) * share
        embedded_SD: Tensor = self.dropout(self.norm(tokens_SD))
        return embedded_SD

    def geometry(self, box_S4: Tensor) -> Tensor:
        """Returns the corners, and if configured the share of the picture that the box covers."""
        if self.config.position != "box_area":
            return box_S4
        left, top, right, bottom = box_S4.unbind(dim=1)
        return torch.cat([box_S4, ((right - left) * (bottom - top))[:, None]], dim=1)


@dataclass(frozen=True)
class RegionsConfig(Config[Encoder]):
    """Regions of a picture: boxes with features of a detector, or of a grid's cells."""

    feature_dim: int
    """Width F of a region's features."""
    dim: int = 768
    position: Literal["none", "box", "box_area"] = "box"
    """Input of the linear map for positions: none (VisualBERT), the four corners (LXMERT), or corners and area
    (ViLBERT, Lu et al. 2019, arXiv:1908.02265, section 2.1)."""
    norm: Literal["none", "sum", "each"] = "sum"
    """Norm of the sum of feature and position (ViLBERT), or of each of them before averaging (LXMERT), or none."""
    norm_eps: float = 1e-12
    dropout: float = 0.0
    """Dropout of the embedded regions."""
    transformer: TransformerConfig | None = None
    """Blocks between the regions."""

    def __post_init__(self) -> None:
        require(self, feature_dim=COUNT, dim=COUNT, dropout=SHARE_BELOW_1, norm_eps=NOT_NEGATIVE)
        if self.transformer is not None and self.transformer.dim != self.dim:
            raise ValueError(
                f"transformer.dim is {self.transformer.dim}, expected {self.dim}, the dim of regions"
            )
        if self.transformer is not None and self.transformer.norm != "post":
            raise ValueError(
                "transformer.norm is 'pre', expected 'post': no norm follows the blocks"
            )

    def build(self) -> Regions:
        return Regions(self)
