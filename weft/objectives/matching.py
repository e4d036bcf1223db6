"""Image-text matching: does the one stream belong to the other? Works for any two streams.

UNITER (Chen et al. 2020, arXiv:1909.11740, section 3.2) and ViLBERT draw negatives at random, ALBEF
(Li et al. 2021, arXiv:2107.07651, section 3.2) those that the contrastive similarities confuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective
from weft.core.needs import Needs
from weft.core.records import Batch, Features, Loss
from weft.core.shapes import check_shape
from weft.heads.classes import ClassOutput

MATCH = 1
"""Which of the two logits says that the streams belong together."""


class Matching(nn.Module):
    """Every row's own pair, and with two negatives: its first stream with another row's second, and
    the other way round.

    Cross-entropy of the head's two logits, a mean over the pairs of all ranks. What is encoded is
    encoded once: negatives are rows of the same Features. They come from the rows of this rank, never
    from one that matches the row; rows that lack a stream are in no pair. Draws come from torch's global
    generator.
    """

    def __init__(self, config: "MatchingConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:
        first, second = self.config.streams
        features = {stream: streams.features(stream) for stream in (first, second)}
        there_B = torch.stack([f.mask.any(dim=1) for f in features.values()]).all(dim=0)
        others_BB = (batch.match_keys[:, None] != batch.match_keys[None, :]) & there_B
        others_BB = others_BB & there_B[:, None]
        drawn = self.draw(streams, others_BB)
        own_R = there_B.nonzero()[:, 0]
        row_N, taken_N, weight_N = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        half = len(drawn[0][0])
        pairs = {
            first: torch.cat([own_R, row_N[:half], taken_N[half:]]),
            second: torch.cat([own_R, taken_N[:half], row_N[half:]]),
        }
        fused = cast(Model, model).fuse({s: f.take(pairs[s]) for s, f in features.items()})
        logits_P2 = matching_logits(cast(Model, model), self.config.head, fused)
        matches_P = torch.arange(len(logits_P2), device=logits_P2.device) < len(own_R)
        labels_P = torch.where(matches_P, MATCH, 1 - MATCH)
        costs_P = F.cross_entropy(logits_P2, labels_P, reduction="none")
        costs_P = costs_P * torch.cat([torch.ones_like(own_R, dtype=costs_P.dtype), weight_N])
        hits_P = (logits_P2.argmax(dim=1) == labels_P).float()
        terms = {
            "accuracy": mean_of_all(hits_P),
            "recall": mean_of_all(hits_P[: len(own_R)].detach()),
        }
        return Loss(mean_of_all(costs_P), terms)

    def draw(
        self, streams: EncodedStreams, others_BB: Tensor
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each stream the rows (N,) that have a negative, its row (N,) and its weight (N,).

        others_BB: True where the one row may be a negative of the other.
        """
        row_N = others_BB.any(dim=1).nonzero()[:, 0]
        others_NB = others_BB[row_N]
        even_NB = others_NB / others_NB.sum(dim=1, keepdim=True)
        found = []
        for way in (self.config.streams, self.config.streams[::-1]):
            chance_NB = even_NB
            if self.config.negatives != "random":
                chance_NB = self.confusion(streams, way)[row_N]
                chance_NB = chance_NB.masked_fill(~others_NB, -torch.inf).softmax(dim=1)
            drawn_NB = chance_NB if self.config.negatives == "hard" else even_NB
            taken_N = _drawn(drawn_NB)
            weight_N = torch.ones_like(taken_N, dtype=torch.float32)
            if self.config.negatives == "soft":
                weight_N = (chance_NB / drawn_NB).gather(1, taken_N[:, None])[:, 0]
            found.append((row_N, taken_N, weight_N))
        return found

    def confusion(self, streams: EncodedStreams, way: tuple[str, str]) -> Tensor:
        """(B, B) scaled cosines of the rows of the first stream with those of the second."""
        # Not under no_grad: other objectives share these embeddings.
        query_BE, key_BE = (streams.embedding(stream).detach().float() for stream in way)
        with torch.autocast(query_BE.device.type, enabled=False):
            return query_BE @ key_BE.T / self.config.temperature


def _drawn(chance_NB: Tensor) -> Tensor:
    """(N,) a column for each row, drawn with these chances."""
    if not len(chance_NB):
        return torch.zeros(0, dtype=torch.int64, device=chance_NB.device)
    return torch.multinomial(chance_NB, 1)[:, 0]


def matching_logits(model: Model, head: str, fused: Mapping[str, Features]) -> Tensor:
    """(P, 2) logits in fp32 of fused pairs. Raises ValueError where the model cannot give them."""
    if model.fusion is None:
        raise ValueError("matching reads the fused streams, but the model has no fusion")
    logits_P2 = model.decode(head, fused)
    check_shape(logits_P2, "P 2", f"what head '{head}' gives")
    return logits_P2.float()


@dataclass(frozen=True)
class MatchingConfig(Config[Objective]):
    """Matching of two streams: do they belong together? (ITM; UNITER, ALBEF)"""

    streams: tuple[str, str] = ("image", "text")
    """The two streams."""
    head: str = "matching"
    """Head of the model that makes two logits of the fused pair."""
    negatives: Literal["random", "hard", "soft"] = "random"
    """random: any other row. hard: drawn by the softmax of the contrastive similarities (ALBEF). soft:
    any other row, its cost weighted by how much likelier hard would draw it: the same on average."""
    temperature: float = 0.07
    """Of the softmax of similarities: the lower, the harder."""

    def __post_init__(self) -> None:
        if self.streams[0] == self.streams[1]:
            raise ValueError(f"both streams are '{self.streams[0]}', expected two different ones")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}, expected a number above 0")

    @property
    def needs(self) -> Needs:
        contrasted = () if self.negatives == "random" else self.streams
        return Needs(
            encoders=self.streams,
            embeddings=contrasted,
            heads={self.head: ClassOutput},
            fusion=True,
        )

    def build(self) -> Matching:
        return Matching(self)
