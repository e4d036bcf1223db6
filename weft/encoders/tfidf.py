"""Texts by the n-grams in them: term frequency times inverse document frequency (TF-IDF)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.values import vector_features


class Tfidf(nn.Module):
    """Ids (B, T) of n-grams -> pooled (B, V), unit length: (1 + ln count) times ln((1 + N) / (1 + n)) + 1.

    n is the number of the N training texts with the n-gram (G. Salton and C. Buckley, Information Processing and
    Management 24(5), 1988, table 1, with scikit-learn's smoothing). `learn` counts them.
    """

    idf: Tensor

    def __init__(self, config: "TfidfConfig") -> None:
        super().__init__()
        self.dim = config.vocab_size
        self.register_buffer("idf", torch.ones(config.vocab_size))

    def forward(self, field: Field) -> Features:
        """Ids (B, T) int64, mask True where real. A text without any gives zeros."""
        counts_BV = self._counts(field)
        weights_BV = torch.where(counts_BV > 0, 1 + counts_BV.clamp_min(1).log(), 0) * self.idf
        return vector_features(F.normalize(weights_BV, dim=1))

    def learn(self, fields: Callable[[], Iterable[Field]]) -> None:
        """Counts the texts that contain each n-gram."""
        texts, with_V = 0, torch.zeros(self.dim)
        for field in fields():
            texts += len(field)
            with_V += (self._counts(field) > 0).sum(dim=0).cpu()
        self.idf.copy_(((1 + texts) / (1 + with_V)).log() + 1)

    def _counts(self, field: Field) -> Tensor:
        """(B, V) float32"""
        check_shape(field.values, "B T", "ids of n-grams")
        ids_BT = field.values
        real_BT = torch.ones_like(ids_BT, dtype=torch.bool) if field.mask is None else field.mask
        counts_BV = self.idf.new_zeros(ids_BT.shape[0], self.dim)
        return counts_BV.scatter_add(1, ids_BT.masked_fill(~real_BT, 0), real_BT.float())


@dataclass(frozen=True)
class TfidfConfig(Config[Encoder]):
    """TF-IDF of `vocab_size` n-grams. The weights are counted, not trained by gradients."""

    vocab_size: int

    def __post_init__(self) -> None:
        require(self, vocab_size=COUNT)

    def build(self) -> Tfidf:
        return Tfidf(self)
