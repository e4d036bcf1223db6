"""Members that lack some of their streams, or that read substitute features for them."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import torch

from weft.core.interfaces import Encoder
from weft.core.records import Features, Field
from weft.data.formats import Dataset
from weft.fusion.mask_tokens import MaskTokens
from weft.inference.config import InferenceConfig
from weft.inference.encoded import encode_rows, evaluating_all
from weft.inference.member import Member
from weft.inference.other_encoding import encoding_by
from weft.inference.rows import Reading, Selection

AVERAGED = 512
"""Maximum number of training rows whose features are averaged."""


def without(member: Member, lost: Sequence[str]) -> Member:
    """The member as if no row had these streams, and without the substitutes that its fusion has learned for them."""
    sources = {stream: source for stream, source in member.sources.items() if stream not in lost}
    model = member.model
    if lost and isinstance(model.fusion, MaskTokens):
        model = copy.copy(model)  # shares every part
        model._modules = {**model._modules, "fusion": cast(MaskTokens, model.fusion).fusion}
    return replace(member, sources=sources, model=model)


def filled(member: Member, fillings: Mapping[str, Features]) -> Member:
    """A member that reads the same substitute Features for these streams in every row that has them.

    fillings: stream -> Features of one row.
    """

    device = next(member.model.parameters()).device

    def instead(stream: str, value: Field | Features) -> Features | None:
        if stream not in fillings:
            return None
        rows = torch.zeros(len(value), dtype=torch.int64, device=device)
        found = fillings[stream].to(device).take(rows)
        return found if value.present is None else found.where(value.present)

    return replace(member, model=encoding_by(member.model, instead))


def one_row(vector_D: torch.Tensor) -> Features:
    """Features of one row with a single token, which is also its pooled vector."""
    there = torch.ones(1, 1, dtype=torch.bool, device=vector_D.device)
    return Features(vector_D[None, None], there, vector_D[None])


def zero_features(member: Member, streams: Sequence[str]) -> dict[str, Features]:
    """stream -> Features of one row whose single token and pooled vector are zeros."""
    widths = {stream: cast(Encoder, member.model.encoder(stream)).dim for stream in streams}
    return {stream: one_row(torch.zeros(width)) for stream, width in widths.items()}


def mask_tokens(member: Member, streams: Sequence[str]) -> dict[str, Features]:
    """stream -> the token that the fusion has learned for rows without the stream; empty if it has learned none."""
    fusion = member.model.fusion
    if not isinstance(fusion, MaskTokens):
        return {}
    known = [stream for stream in streams if stream in fusion.streams]
    return {stream: one_row(fusion.token(stream).vector.detach()) for stream in known}


def mean_features(
    member: Member,
    dataset: Dataset,
    streams: Sequence[str],
    config: InferenceConfig,
    device: torch.device | str = "cpu",
) -> dict[str, Features]:
    """stream -> Features of one row with a single token: the means of tokens and of pooled vectors over rows that
    have the stream.

    dataset: the data that the member's sources read. At most AVERAGED rows are used, evenly spaced.
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
