"""Encodes several pictures in each row with the same encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.frozen import Frozen
from weft.layers.padded import is_padded
from weft.layers.pooling import pool


class EachPicture(nn.Module):
    """Pictures (B, N, 3, H, W) -> the tokens of all pictures of a row, concatenated.

    Masked pictures are not encoded. pooled: the mean of the pooled vectors of a row's pictures. Without `tokens`,
    these vectors are the tokens, one for each picture.
    """

    def __init__(self, encoder: nn.Module, *, tokens: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokens = tokens
        self.dim = cast(Encoder, encoder).dim

    def forward(self, field: Field) -> Features:
        """Field of uint8 (B, N, 3, H, W), mask (B, N) or None if all are real."""
        check_shape(field.values, "B N C H W", "pictures")
        rows, number = field.values.shape[:2]
        mask_BN = field.mask
        if mask_BN is None:
            mask_BN = torch.ones_like(field.values[:, :, 0, 0, 0], dtype=torch.bool)
        flat_F = mask_BN.flatten()
        pictures = Field(field.values.flatten(0, 1))
        if is_padded():
            each = cast(Encoder, self.encoder)(pictures).where(flat_F)
        else:
            there_R = flat_F.nonzero()[:, 0]
            each = cast(Encoder, self.encoder)(pictures.take(there_R)).spread(
                there_R, rows * number
            )
        pooled_BND = each.pooled.reshape(-1, number, self.dim)
        pooled_BD = pool(pooled_BND, mask_BN, "mean")
        if not self.tokens:
            return Features(pooled_BND, mask_BN, pooled_BD)
        tokens = number * each.tokens.shape[1]
        mask_BT = each.mask.reshape(-1, tokens)
        tokens_BTD = each.tokens.reshape(-1, tokens, self.dim)
        return Features(tokens_BTD.masked_fill(~mask_BT[..., None], 0), mask_BT, pooled_BD)


class EachFrozenPicture(EachPicture):
    """The same with a frozen encoder, so that the features of a row can be cached."""

    def frozen(self, field: Field) -> Features:
        return self.forward(field)

    def trainable(self, features: Features) -> Features:
        return features

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        return cast(Frozen, self.encoder).frozen_parameters()


@dataclass(frozen=True)
class PicturesEncoderConfig(Config[Encoder]):
    """Each picture of a row by the same encoder."""

    encoder: Config[Encoder]
    """Encoder of one picture."""
    tokens: bool = False
    """If true, keep all tokens of each picture; otherwise its pooled vector is its one token."""

    def build(self) -> EachPicture:
        encoder = build(self.encoder)
        kind = EachFrozenPicture if isinstance(encoder, Frozen) else EachPicture
        return kind(encoder, tokens=self.tokens)
