"""Objectives that compare streams two by two."""

from dataclasses import dataclass, field
from itertools import combinations

import torch
from torch import nn

from weft.core.config import Settings
from weft.core.interfaces import EncodedStreams, Reader
from weft.core.needs import Needs
from weft.core.records import Batch, Loss
from weft.objectives.similarity import Direction, Likeness, directions


@dataclass(frozen=True)
class StreamPairs(Settings):
    """The pairs of streams that an objective compares."""

    streams: tuple[str, ...] = ("image", "text")
    """The streams that are pulled together, two or more."""
    pairs: tuple[tuple[str, str], ...] | None = field(default=None, kw_only=True)
    """The pairs of streams that are compared; None: all of them."""

    def check_pairs(self) -> None:
        """Raises ValueError for invalid pairs."""
        if len(set(self.streams)) != len(self.streams) or len(self.streams) < 2:
            raise ValueError(f"streams are {self.streams}, expected two or more different ones")
        for pair in self.pairs if self.pairs is not None else ():
            if pair[0] == pair[1] or not set(pair) <= set(self.streams):
                known = ", ".join(self.streams)
                raise ValueError(f"pairs names {pair}, expected two different ones of: {known}")

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """The pairs, at least one."""
        return self.pairs or tuple(combinations(self.streams, 2))

    @property
    def needs(self) -> Needs:
        pair = self.streams if len(self.streams) == 2 else ()
        return Needs(embeddings=self.streams, together=pair)


class OverPairs(nn.Module):
    """The mean loss over pairs of streams, each over the rows that have both."""

    def __init__(self, config: StreamPairs, likeness: Likeness | None = None) -> None:
        super().__init__()
        self._pairs = config.compared
        self._likeness = likeness

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        losses = [
            self.of_pair(*directions(batch, streams, pair, self._likeness)) for pair in self._pairs
        ]
        if len(losses) == 1:
            return losses[0]
        each = {
            f"accuracy_{one}_{other}": loss.terms["accuracy"]
            for (one, other), loss in zip(self._pairs, losses, strict=True)
        }
        means = {
            name: torch.stack([loss.terms[name] for loss in losses]).mean()
            for name in losses[0].terms
        }
        return Loss(torch.stack([loss.total for loss in losses]).mean(), {**means, **each})

    def of_pair(self, forward: Direction, backward: Direction) -> Loss:
        """The loss of one pair; its terms include an accuracy."""
        raise NotImplementedError
