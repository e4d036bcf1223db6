"""A member that does without some of its streams, or gets something else in their place."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from weft.architectures.model import Model
from weft.core.records import Features, Field
from weft.data.formats import Dataset
from weft.inference.config import InferenceConfig
from weft.inference.encoded import encode_rows, evaluating_all
from weft.inference.member import Member
from weft.inference.rows import Reading, Selection

AVERAGED = 512
"""Training rows whose features are averaged, at most."""


def without(member: Member, lost: Sequence[str]) -> Member:
    """The member as if no row had these streams."""
    sources = {stream: source for stream, source in member.sources.items() if stream not in lost}
    return replace(member, sources=sources)


def filled(member: Member, fillings: Mapping[str, Features]) -> Member:
    """The member that reads the same Features of every row in the place of these streams. fillings: one row each."""

    class Filled(Model):
        def encode(self, stream: str, value: Field | Features) -> Features:
            if stream not in fillings:
                return super().encode(stream, value)
            rows = torch.zeros(len(value), dtype=torch.int64)
            filling = fillings[stream].to(next(self.parameters()).device)
            return filling.take(rows.to(filling.tokens.device))

    model = copy.copy(member.model)  # shares every part
    model.__class__ = Filled
    return replace(member, model=model)


def mean_features(
    member: Member,
    dataset: Dataset,
    streams: Sequence[str],
    config: InferenceConfig,
    device: torch.device | str = "cpu",
) -> dict[str, Features]:
    """Of each stream one row of a single token: the mean of tokens and of pooled vectors over rows that have it.

    dataset: what the member's sources read; its rows are taken evenly, AVERAGED at most.
    """
    step = -(-len(dataset) // AVERAGED)
    chosen = [(row,) for row in range(0, len(dataset), step)]
    tokens: dict[str, list[torch.Tensor]] = {stream: [] for stream in streams}
    pooled: dict[str, list[torch.Tensor]] = {stream: [] for stream in streams}
    reading = Reading.of(member, dataset, [s for s in member.sources if s in streams])
    with evaluating_all([member], config, device):
        for read in encode_rows(
            [(member, reading)], dataset, config, Selection(chosen), device=device
        ):
            for stream, features in read.streams[0].items():
                there = features.take(features.present.nonzero()[:, 0])
                tokens[stream].append(there.tokens[there.mask])
                pooled[stream].append(there.pooled)
    return {
        stream: Features(
            torch.cat(found).mean(0)[None, None],
            torch.ones(1, 1, dtype=torch.bool, device=found[0].device),
            torch.cat(pooled[stream]).mean(0)[None],
        )
        for stream, found in tokens.items()
        if sum(map(len, found))
    }
