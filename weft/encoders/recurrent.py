"""Recurrent text encoders: GRU (arXiv:1406.1078) and LSTM (Hochreiter & Schmidhuber 1997)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.pooling import pool
from weft.layers.recurrence import Recurrence, recur


class Recurrent(nn.Module):
    """Token ids -> hidden states of the top layer, and one vector from them.

    tokens: (B, T, D), zero in the padding; D is twice the hidden width if bidirectional. pooled: the state after the
    last real token (backwards: after the first), or the mean or maximum of all; zeros for a row without tokens.
    """

    def __init__(self, config: "RecurrentConfig") -> None:
        super().__init__()
        self.config = config
        self.directions = 2 if config.bidirectional else 1
        self.dim = config.hidden * self.directions
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(config.dropout)
        kind = nn.GRU if config.cell == "gru" else nn.LSTM
        self.recurrence: Recurrence = kind(
            config.embedding,
            config.hidden,
            num_layers=config.layers,
            dropout=config.dropout if config.layers > 1 else 0.0,
            bidirectional=config.bidirectional,
            batch_first=True,
        )

    def forward(self, field: Field) -> Features:
        """Ids (B, T) int64, mask True where real."""
        check_shape(field.values, "B T", "token ids")
        ids_BT = field.values
        mask_BT = torch.ones_like(ids_BT, dtype=torch.bool) if field.mask is None else field.mask
        # Padding may hold any number.
        embedded_BTE = self.dropout(self.embedding(ids_BT.masked_fill(~mask_BT, 0)))
        tokens_BTD, (hidden_LBD, *_) = recur(self.recurrence, embedded_BTE, mask_BT)
        if self.config.pooling != "last":
            return Features(tokens_BTD, mask_BT, pool(tokens_BTD, mask_BT, self.config.pooling))
        last_BD = hidden_LBD[-self.directions :].transpose(0, 1).flatten(1)
        empty_B1 = ~mask_BT.any(dim=1, keepdim=True)
        return Features(tokens_BTD, mask_BT, last_BD.masked_fill(empty_B1, 0))


@dataclass(frozen=True)
class RecurrentConfig(WithWeights, Config[Encoder]):
    """GRU or LSTM over learned word embeddings.

    embedding: width of the word embeddings. hidden: width of the states. dropout: on embeddings and
    between layers. weights: safetensors file with this class's keys, or None for random ones.
    """

    vocab_size: int
    embedding: int = 300
    hidden: int = 1024
    layers: int = 1
    cell: Literal["gru", "lstm"] = "gru"
    bidirectional: bool = False
    pooling: Literal["last", "mean", "max"] = "last"
    dropout: float = 0.0
    weights: str | None = None

    def __post_init__(self) -> None:
        require(self, vocab_size=COUNT, embedding=COUNT, hidden=COUNT, layers=COUNT)
        require(self, dropout=SHARE_BELOW_1)

    def build(self) -> Recurrent:
        return self.filled(Recurrent(self))
