"""Image-text matching: whether two streams belong together. Works for any two streams.

UNITER (Chen et al. 2020, arXiv:1909.11740, section 3.2) and ViLBERT sample negatives uniformly, ALBEF (Li et al.
2021, arXiv:2107.07651, section 3.2) samples those with high contrastive similarity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import gather, mean_of_all, sum_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import POSITIVE, require
from weft.core.records import Batch, Features, Loss
from weft.core.shapes import check_shape
from weft.heads.classes import MATCH, ClassOutput
from weft.objectives._pairs import candidates, drawn_columns


class Matching(nn.Module):
    """Classifies every row's own pair, and two negatives: its first stream with another row's second, and the
    reverse.

    Cross-entropy of the head's two logits, a mean over the pairs of all ranks. The logarithms of the shares of yes
    and no among the pairs are added to the logits (Menon et al. 2021, arXiv:2007.07314, equation 10). With two
    negatives per own pair the model would otherwise learn to prefer no; with this correction its log odds are 0 if
    right and wrong pairs are equally frequent. Streams are encoded once: negatives are rows of the same Features.
    They come from the rows of all ranks, never from one that matches the row. Rows that lack a stream are in no
    pair.
    """

    def __init__(self, config: "MatchingConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        first, second = self.config.streams
        head = self.config.head
        found = candidates(batch, streams, self.config.streams)
        drawn = self.draw(batch, streams, found.others_BA)
        row_N, taken_N, weight_N = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        row_N, half = row_N + found.before, len(drawn[0][0])
        pairs = found.take(
            {
                first: torch.cat([found.own_R, row_N[:half], taken_N[half:]]),
                second: torch.cat([found.own_R, taken_N[:half], row_N[half:]]),
            }
        )
        parts = streams.by_rows(lambda p: matching_logits(model, head, model.fuse(p)), pairs)
        logits_P2, own = torch.cat(parts), len(found.own_R)
        matches_P = torch.arange(len(logits_P2), device=logits_P2.device) < own
        labels_P = torch.where(matches_P, MATCH, 1 - MATCH)
        prior_2 = sum_of_all(F.one_hot(labels_P, 2).float().sum(dim=0)).clamp(min=1e-6)
        costs_P = F.cross_entropy(logits_P2 + prior_2.log(), labels_P, reduction="none")
        costs_P = costs_P * torch.cat([costs_P.new_ones(own), weight_N])
        hits_P = (logits_P2.argmax(dim=1) == labels_P).float()
        terms = {"accuracy": mean_of_all(hits_P), "recall": mean_of_all(hits_P[:own])}
        return Loss(mean_of_all(costs_P), terms)

    def draw(
        self, batch: Batch, streams: EncodedStreams, others_BA: Tensor
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each stream the rows (N,) of this rank that have a negative, the number of its row among
        those of all ranks (N,), and its weight (N,).

        others_BA: True where row A may be a negative of row B.
        """
        row_N = others_BA.any(dim=1).nonzero()[:, 0]
        others_NA = others_BA[row_N]
        even_NA = others_NA / others_NA.sum(dim=1, keepdim=True)
        found = []
        for way in (self.config.streams, self.config.streams[::-1]):
            chance_NA = even_NA
            if self.config.negatives != "random":
                chance_NA = self.confusion(streams, way)[row_N]
                chance_NA = chance_NA.masked_fill(~others_NA, -torch.inf).softmax(dim=1)
            drawn_NA = chance_NA if self.config.negatives == "hard" else even_NA
            uniform_N = batch.uniform(f"matching: a {way[1]} for the {way[0]}")[row_N]
            taken_N = drawn_columns(drawn_NA, uniform_N)
            weight_N = torch.ones_like(taken_N, dtype=torch.float32)
            if self.config.negatives == "soft":
                weight_N = (chance_NA / drawn_NA).gather(1, taken_N[:, None])[:, 0]
            found.append((row_N, taken_N, weight_N))
        return found

    def confusion(self, streams: EncodedStreams, way: tuple[str, str]) -> Tensor:
        """(B, A) scaled cosines of this rank's rows of the first stream with all of the second."""
        # Not under no_grad: other objectives share these embeddings.
        query_BE, key_BE = (streams.embedding(stream).detach().float() for stream in way)
        with torch.autocast(query_BE.device.type, enabled=False):
            return query_BE @ gather(key_BE).T / self.config.temperature


def matching_logits(model: Reader, head: str, fused: Mapping[str, Features]) -> Tensor:
    """(P, 2) logits in fp32 of fused pairs. Raises ValueError if the model cannot compute them."""
    if model.fusion is None:
        raise ValueError("matching reads the fused streams, but the model has no fusion")
    logits_P2 = model.decode(head, fused)
    check_shape(logits_P2, "P 2", f"what head '{head}' gives")
    return logits_P2.float()


@dataclass(frozen=True)
class MatchingConfig(Config[Objective]):
    """Matching: predicts whether two streams belong together (ITM; UNITER, ALBEF)."""

    streams: tuple[str, str] = ("image", "text")
    """The two streams."""
    head: str = "matching"
    """Head of the model that makes two logits of the fused pair."""
    negatives: Literal["random", "hard", "soft"] = "random"
    """random: any other row. hard: sampled by the softmax of the contrastive similarities (ALBEF). soft:
    any other row, its cost weighted by how much likelier hard would sample it: the same on average."""
    temperature: float = 0.07
    """Temperature of the softmax of similarities. A lower one gives harder negatives."""

    def __post_init__(self) -> None:
        if self.streams[0] == self.streams[1]:
            raise ValueError(f"both streams are '{self.streams[0]}', expected two different ones")
        require(self, temperature=POSITIVE)

    @property
    def needs(self) -> Needs:
        contrasted = () if self.negatives == "random" else self.streams
        return Needs(
            encoders=self.streams,
            embeddings=contrasted,
            heads={self.head: ClassOutput},
            together=self.streams,
            fusion=True,
        )

    def build(self) -> Matching:
        return Matching(self)
