"""Mean of word vectors (the text side of DeViSE, Frome et al. 2013)."""

from dataclasses import dataclass

import torch
from torch import nn

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import read_safetensors
from weft.layers.pooling import pool


class WordVectors(nn.Module):
    """Token ids -> their vectors; pooled: the mean over tokens that are words.

    Padding and ignored ids (such as begin and end of text) are excluded from the mean and from the mask of the
    tokens. A text without words gives zeros.
    """

    ignored: torch.Tensor

    def __init__(self, config: "WordVectorsConfig") -> None:
        super().__init__()
        self.dim = config.dim
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        nn.init.normal_(self.embedding.weight, std=config.dim**-0.5)
        self.embedding.requires_grad_(not config.frozen)
        ignored = torch.tensor(config.ignored_ids, dtype=torch.long)
        self.register_buffer("ignored", ignored, persistent=False)

    def forward(self, field: Field) -> Features:
        """Ids (B, T) int64, mask True where real."""
        check_shape(field.values, "B T", "token ids")
        mask_BT = (field.values[..., None] != self.ignored).all(dim=-1)
        if field.mask is not None:
            mask_BT = mask_BT & field.mask
        vectors_BTD = self.embedding(field.values.masked_fill(~mask_BT, 0))
        vectors_BTD = vectors_BTD.masked_fill(~mask_BT[:, :, None], 0)
        return Features(vectors_BTD, mask_BT, pool(vectors_BTD, mask_BT, "mean"))


@dataclass(frozen=True)
class WordVectorsConfig(Config[Encoder]):
    """Mean of word vectors.

    weights: safetensors file that holds one table (vocab_size, dim), whose row is the token's id,
    or None for random vectors. frozen: keep them as they are. ignored_ids: tokens that are no words.
    """

    vocab_size: int
    dim: int = 300
    ignored_ids: tuple[int, ...] = ()
    weights: str | None = None
    frozen: bool = False

    def __post_init__(self) -> None:
        require(self, vocab_size=COUNT, dim=COUNT, ignored_ids=at_least(0))

    def architecture(self) -> "WordVectorsConfig":
        return self.replace(weights=None)

    def build(self) -> WordVectors:
        encoder = WordVectors(self)
        if self.weights is not None:
            tables = read_safetensors(self.weights)
            shapes = {name: tuple(table.shape) for name, table in tables.items()}
            wanted = (self.vocab_size, self.dim)
            if list(shapes.values()) != [wanted]:
                raise WeftError(f"{self.weights}: holds {shapes}, expected one table of {wanted}")
            with torch.no_grad():
                encoder.embedding.weight.copy_(next(iter(tables.values())))
        return encoder
