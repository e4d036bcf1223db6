"""Attention within each of many packed sequences by one kernel (Dao 2024, arXiv:2307.08691), on CUDA."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from weft.layers.packing import Packing

varlen_attn: Callable[..., Any] | None
try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # torch before 2.10
    varlen_attn = None

WIDEST_HEAD = 256


def has_kernel(query_SNK: Tensor, packing: Packing, dropout: float) -> bool:
    """Whether there is such a kernel for these, and more than one length for it to join."""
    width = query_SNK.shape[2]
    return (
        varlen_attn is not None
        and query_SNK.device.type == "cuda"
        and query_SNK.dtype in (torch.bfloat16, torch.float16)
        and width % 8 == 0
        and width <= WIDEST_HEAD
        and not dropout
        and len(packing.groups) > 1
    )


def attend_within(
    query_SNK: Tensor, key_value_S2NK: Tensor, packing: Packing, *, causal: bool
) -> Tensor:
    """(S, N * K): every packed query attends to the keys of its own sequence; causal: to earlier ones."""
    if varlen_attn is None:
        raise ValueError("this torch has no attention kernel for packed sequences, expected 2.10")
    key_SNK, value_SNK = key_value_S2NK.unbind(1)
    longest = packing.groups[-1].length
    mixed_SNK: Tensor = varlen_attn(
        query_SNK,
        key_SNK,
        value_SNK,
        packing.bounds,
        packing.bounds,
        longest,
        longest,
        window_size=(-1, 0 if causal else -1),
    )
    return mixed_SNK.flatten(1)
