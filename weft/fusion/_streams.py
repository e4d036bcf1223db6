"""Shared by the fusions: checks of a batch's streams, and projections to one width."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from weft.core.errors import unknown_name
from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.core.shapes import check_shape
from weft.layers.packing import Packing

Widths = Mapping[str, int]


@runtime_checkable
class FusionConfig(Protocol):
    """Settings of every fusion: the width of each stream, and that of JOINT's pooled vector."""

    @property
    def widths(self) -> Widths: ...

    @property
    def dim(self) -> int: ...

    def build(self) -> nn.Module: ...


def check_widths(widths: Widths) -> None:
    """Raises ValueError unless these are the widths of at least one stream."""
    if not widths or min(widths.values()) < 1:
        raise ValueError(f"widths are {dict(widths)}, expected a stream or more, at least 1 wide")
    if JOINT in widths:
        raise ValueError(
            f"widths name a stream '{JOINT}', expected another name: a fusion returns it"
        )


def in_order(streams: Mapping[str, Features], widths: Widths) -> dict[str, Features]:
    """Returns the present streams in the order of `widths`.

    Raises WeftError for a stream unknown to the fusion, ValueError for no stream or a wrong width.
    """
    for stream, features in streams.items():
        if stream not in widths:
            raise unknown_name("stream of the fusion", stream, widths)
        check_shape(features.tokens, "B T D", f"the tokens of '{stream}'", D=widths[stream])
    if not streams:
        raise ValueError(f"got no stream to fuse, expected some of: {', '.join(widths)}")
    return {stream: streams[stream] for stream in widths if stream in streams}


def linear(in_dim: int, out_dim: int) -> nn.Linear:
    """Returns a linear map that keeps the variance of normalised features; its bias starts at zero."""
    made = nn.Linear(in_dim, out_dim)
    nn.init.normal_(made.weight, std=in_dim**-0.5)
    nn.init.zeros_(made.bias)
    return made


def map_tokens(module: nn.Module, features: Features) -> Tensor:
    """(B, T, D) tokens after `module`, which reads only real ones; zero in the padding."""
    packing = Packing.of(features.mask)
    return packing.unpack(module(packing.pack(features.tokens)))


def joined(streams: Mapping[str, Features]) -> tuple[Tensor, Tensor]:
    """Concatenates the streams: tokens (B, T, D) and mask (B, T)."""
    parts = list(streams.values())
    return torch.cat([p.tokens for p in parts], dim=1), torch.cat([p.mask for p in parts], dim=1)
