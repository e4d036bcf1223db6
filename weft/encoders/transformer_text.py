"""Transformer text encoder: BERT's kind (arXiv:1810.04805) and CLIP's kind (arXiv:2103.00020)."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.packing import Packing
from weft.layers.padded import is_padded
from weft.layers.pooling import Pooling, pool
from weft.layers.transformer import Activation, TransformerConfig

POOLINGS: dict[str, Pooling] = {"cls": "first", "eos": "last", "mean": "mean", "max": "max"}


class TextTransformer(nn.Module):
    """Token ids -> contextual tokens and one pooled vector. Computes only real tokens.

    tokens: (B, T, D), zero in the padding. pooled: zeros for a row without tokens. A token's
    position is the number of real tokens before it, so padding may be on either side.
    """

    def __init__(self, config: "TextTransformerConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.depth = config.depth
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.positions = nn.Parameter(torch.empty(config.max_length, config.dim))
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)
        post_norm = config.norm == "post"
        self.input_norm = self._norm() if post_norm else nn.Identity()
        self.input_dropout = nn.Dropout(config.dropout)
        self.transformer = config.transformer().build()
        last_norm = config.last_norm and not post_norm
        self.norm = self._norm() if last_norm else nn.Identity()
        self.pooler = nn.Linear(config.dim, config.dim) if config.pooler else None

    def _norm(self) -> nn.LayerNorm:
        return nn.LayerNorm(self.config.dim, eps=self.config.norm_eps)

    def forward(self, field: Field) -> Features:
        """Ids (B, T) int64, mask True where real; at most `max_length` real tokens a row."""
        tokens_SD, packing = self.embed(field)
        features = self.finish(self.transformer(tokens_SD, packing), packing)
        return features if self.config.filled_with is None else _in_place(features, field)

    def lower(self, field: Field, layers: int) -> Features:
        """Returns tokens after the embedding and the first `layers` blocks, the input of `upper`."""
        tokens_SD, packing = self.embed(field)
        tokens_BTD = packing.unpack(self.transformer(tokens_SD, packing, slice(layers)))
        pooled_BD = pool(tokens_BTD, packing.mask, POOLINGS[self.config.pooling])
        return Features(tokens_BTD, packing.mask, pooled_BD)

    def upper(self, features: Features, layers: int) -> Features:
        """The blocks after the first `layers`, last norm and pooling."""
        packing = Packing.of(features.mask)
        packed_SD = packing.pack(features.tokens)
        return self.finish(self.transformer(packed_SD, packing, slice(layers, None)), packing)

    def lower_parts(self, layers: int) -> list[nn.Module | nn.Parameter]:
        """Returns the modules that `lower` uses."""
        parts = [self.embedding, self.positions, self.input_norm, self.input_dropout]
        return [*parts, *self.transformer.blocks[:layers]]

    def embed(self, field: Field) -> tuple[Tensor, Packing]:
        """(S, D) packed embeddings before the blocks, and their packing."""
        check_shape(field.values, "B T", "token ids")
        if self.config.filled_with is not None:
            field = self.filled(field)
        packing = Packing.of(self.text_mask(field))
        if packing.longest > self.config.max_length:
            raise ValueError(
                f"a text has {packing.longest} tokens, expected at most max_length, {self.config.max_length}"
            )
        ids_S = packing.pack(field.values)
        # F.embedding adds gradients in a fixed order; indexing adds them in the order of its
        # threads.
        positions_SD = F.embedding(packing.positions(), self.positions)
        tokens_SD = self.embedding(ids_S) + positions_SD
        return self.input_dropout(self.input_norm(tokens_SD)), packing

    def filled(self, field: Field) -> Field:
        """Returns the real tokens of each row, padded to `max_length` with the filling token; all count as real."""
        assert self.config.filled_with is not None
        mask_BT, length = self.text_mask(field), self.config.max_length
        longest = mask_BT.shape[1]
        if not is_padded():
            longest = int(mask_BT.sum(1).amax()) if mask_BT.numel() else 0
        if longest > length:
            raise ValueError(f"a text has {longest} tokens, expected at most max_length, {length}")
        ids_BT = field.values.masked_fill(~mask_BT, self.config.filled_with)
        ids_BT = ids_BT.gather(1, _real_first(mask_BT))
        # Filled, then cut to a length that does not depend on the text's, so that one exported
        # graph fits all.
        ids_BT = F.pad(ids_BT, (0, length), value=self.config.filled_with)
        ids_BL = ids_BT.index_select(1, torch.arange(length, device=ids_BT.device))
        return Field(ids_BL, mask_BT.any(dim=1, keepdim=True).expand_as(ids_BL))

    def text_mask(self, field: Field) -> Tensor:
        """(B, T) True where real. A text ends with its first end-of-text token, if one is configured."""
        ids_BT = field.values
        mask_BT = torch.ones_like(ids_BT, dtype=torch.bool) if field.mask is None else field.mask
        if self.config.eos_id is None:
            return mask_BT
        ends_BT = (ids_BT == self.config.eos_id) & mask_BT
        return mask_BT & (ends_BT.cumsum(dim=1) - ends_BT.long() == 0)

    def finish(self, tokens_SD: Tensor, packing: Packing) -> Features:
        """Last norm, pooling, pooler."""
        tokens_BTD = packing.unpack(self.norm(tokens_SD))
        pooled_BD = pool(tokens_BTD, packing.mask, POOLINGS[self.config.pooling])
        if self.pooler is not None:
            pooled_BD = self.pooler(pooled_BD)
            if self.config.pooler_activation == "tanh":
                pooled_BD = torch.tanh(pooled_BD)
            pooled_BD = pooled_BD.masked_fill(~packing.mask.any(dim=1, keepdim=True), 0)
        return Features(tokens_BTD, packing.mask, pooled_BD)


def _real_first(mask_BT: Tensor) -> Tensor:
    """(B, T) positions that move the real tokens of each row to the front, in order."""
    return (~mask_BT).long().argsort(dim=1, stable=True)


def _in_place(features: Features, field: Field) -> Features:
    """Returns Features of filled texts with only the tokens of `field`, at their positions in it."""
    mask_BT = torch.ones_like(field.values, dtype=torch.bool) if field.mask is None else field.mask
    # Padding may be beyond the filled text; it is cleared below.
    back_BT = _real_first(mask_BT).argsort(dim=1).clamp_max(features.tokens.shape[1] - 1)
    back_BTD = back_BT[:, :, None].expand(*back_BT.shape, features.tokens.shape[2])
    tokens_BTD = features.tokens.gather(1, back_BTD)
    return Features(tokens_BTD.masked_fill(~mask_BT[:, :, None], 0), mask_BT, features.pooled)


@dataclass(frozen=True)
class TextTransformerConfig(WithWeights, Config[Encoder]):
    """Transformer over token ids.

    - norm: "post" as in BERT (and a norm on the embeddings) or "pre" as in CLIP (and a last norm).
    - pooling: the first token ("cls"), the last one ("eos"), or the mean or maximum of all.
    - pooler: a linear layer on the pooled vector, then pooler_activation.
    - last_norm: of "pre". With depth 0 and without it the encoder only embeds tokens, for a fusion to process.
    - eos_id: a text ends with this token; the rest is padding.
    - filled_with: each text is padded to max_length with this token, which is read like any other (as in SigLIP's
      training); "eos" is then the last position.
    - weights: safetensors file with this class's keys, or None for random ones.
    """

    vocab_size: int
    dim: int = 384
    depth: int = 6
    heads: int = 6
    mlp: int | None = None
    max_length: int = 77
    norm: Literal["pre", "post"] = "pre"
    last_norm: bool = True
    causal: bool = False
    pooling: Literal["cls", "mean", "eos", "max"] = "mean"
    pooler: bool = False
    pooler_activation: Literal["tanh", "none"] = "tanh"
    filled_with: int | None = None
    eos_id: int | None = None
    activation: Activation = "gelu"
    norm_eps: float = 1e-5
    dropout: float = 0.0
    attention_dropout: float = 0.0
    drop_path: float = 0.0
    weights: str | None = None

    def __post_init__(self) -> None:
        require(self, vocab_size=COUNT, max_length=COUNT, eos_id=at_least(0))
        require(self, filled_with=at_least(0))
        if self.pooling == "eos":
            # Without a layer the last token has seen no other: it is the same for every text.
            require(self, depth=COUNT)
        if self.causal and self.pooling == "cls":
            raise ValueError(
                "pooling is 'cls' in a causal encoder, whose first token sees no other"
            )
        self.transformer()

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self)

    def build(self) -> TextTransformer:
        return self.filled(TextTransformer(self))
