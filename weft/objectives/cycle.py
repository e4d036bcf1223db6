"""Cycle consistency between modalities: a generated value, encoded again, should match the stream that it was
generated from.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.records import Batch, Features, Loss
from weft.heads.drawn import DrawnOutput
from weft.objectives._drawn import context_of, drawer
from weft.objectives._presence import nothing, rows_with


class Cycle(nn.Module):
    """1 - the cosine between the embeddings of a generated value and of the stream that it was generated from.

    After Zhu et al. 2017, arXiv:1703.10593, section 3.2, with an embedding instead of a second generator. Rows need
    not have the generated stream.
    """

    def __init__(self, config: "CycleConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config, head = self.config, model.head(self.config.head)
        decoder, output = drawer(head, config.head)
        batch, streams = rows_with(batch, streams, (config.source,))
        if config.source not in batch.inputs:
            return nothing(head, batch)
        context = context_of(model, config.head, streams)
        noise_BN = batch.normal("cycle: noise", *(decoder.noise or (1,)))

        def costs(context: Features, noise: Tensor, given: Tensor) -> Tensor:
            made = decoder.draw(context, noise if decoder.noise else None, output.drawing).float()
            seen = model.encode(output.stream, output.field_of(made))
            return 1 - (model.embed(output.stream, seen) * given).sum(1)

        given_BE = streams.embedding(config.source)
        return Loss(mean_of_all(torch.cat(streams.by_rows(costs, context, noise_BN, given_BE))), {})


@dataclass(frozen=True)
class CycleConfig(Config[Objective]):
    """Cycle consistency: a generated value has the embedding of its source."""

    head: str = "picture"
    """Head that generates, from the source."""
    source: str = "text"
    """Stream from which the head generates. It and the generated stream need embeddings."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: DrawnOutput}, embeddings=(self.source,))

    def build(self) -> Cycle:
        return Cycle(self)
