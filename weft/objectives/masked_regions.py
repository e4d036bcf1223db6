"""Masked regions: features of hidden regions are regressed (LXMERT: Tan & Bansal 2019, arXiv:1908.07490,
section 3.1.2; UNITER: Chen et al. 2020, arXiv:1909.11740, section 3.2, MRFR)."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams
from weft.core.records import Batch, Field, Loss
from weft.core.shapes import check_shape
from weft.encoders.regions import CORNERS
from weft.objectives._altered import (
    Head,
    check_share,
    chosen_places,
    input_field,
    read_altered,
    rows_at,
    scaled,
)


class MaskedRegions(nn.Module):
    """The features of some regions become zero, their boxes stay, and they are predicted from the rest.

    Squared error, a mean over features and over the chosen regions of all ranks; predictions exist only
    for those. A row with any region has at least one chosen. Draws come from torch's global generator.
    """

    def __init__(self, config: "MaskedRegionsConfig") -> None:
        super().__init__()
        self.config = config
        self.head = Head(config.dim, config.dim)
        self.out = scaled(nn.Linear(config.dim, config.feature_dim))

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:
        field = input_field(batch, self.config.masked)
        width = CORNERS + self.config.feature_dim
        check_shape(field.values, "B R F", "regions (corners and features)", F=width)
        chosen_BR = self.choose(field)
        altered = replace(field, values=hidden(field.values, chosen_BR))
        features = read_altered(model, batch, streams, self.config.masked, altered)
        check_shape(features.tokens, "B R D", "the masked stream", R=field.values.shape[1])
        found_MF = self.out(self.head(rows_at(features.tokens, chosen_BR))).float()
        wanted_MF = rows_at(field.values, chosen_BR)[:, CORNERS:].float()
        costs_M = (found_MF - wanted_MF).square().mean(dim=1)
        # What the mean of these very regions would cost, to compare with.
        spread_M = (wanted_MF - wanted_MF.mean(dim=0)).square().mean(dim=1)
        return Loss(mean_of_all(costs_M), {"variance": mean_of_all(spread_M)})

    def choose(self, field: Field) -> Tensor:
        """(B, R) True where a region is hidden: never padding, nor where the row has no picture."""
        shape, device = field.values.shape[:2], field.values.device
        candidates_BR = torch.ones(shape, dtype=torch.bool, device=device)
        if field.mask is not None:
            candidates_BR = candidates_BR & field.mask
        if field.present is not None:
            candidates_BR = candidates_BR & field.present[:, None]
        return chosen_places(torch.rand(shape, device=device), candidates_BR, self.config.share)


def hidden(regions_BRF: Tensor, chosen_BR: Tensor) -> Tensor:
    """The regions with zeros for the features of the chosen ones."""
    altered_BRF = regions_BRF.clone()
    altered_BRF[:, :, CORNERS:] = regions_BRF[:, :, CORNERS:].masked_fill(chosen_BR[:, :, None], 0)
    return altered_BRF


@dataclass(frozen=True)
class MaskedRegionsConfig(Config):
    """Masked regions: predict the features of hidden regions from the others and the other streams."""

    dim: int
    """Width of the stream's tokens where they are read: after fusion, or its encoder's."""
    feature_dim: int
    """Width F of a region's features."""
    masked: str = "image"
    """Stream whose regions are hidden."""
    share: float = 0.15
    """Share of the regions that is predicted."""

    def __post_init__(self) -> None:
        check_share(self.share)
        if min(self.dim, self.feature_dim) < 1:
            raise ValueError(
                f"dim is {self.dim} and feature_dim {self.feature_dim}, expected at least 1 each"
            )

    def build(self) -> MaskedRegions:
        return MaskedRegions(self)
