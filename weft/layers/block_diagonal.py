"""Attention within each of many packed sequences by one kernel (Dao 2024, arXiv:2307.08691), on CUDA."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from weft.layers.packing import Packing

WIDEST_HEAD = 256


@cache
def kernel() -> Callable[..., Any] | None:
    """Returns torch's attention kernel for packed sequences; None before torch 2.10.

    It is imported only when a GPU needs it, because it loads the compiler, which takes a second.
    """
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def has_kernel(query_SNK: Tensor, packing: Packing, dropout: float) -> bool:
    """Whether the kernel supports these inputs, and they have more than one length to combine."""
    width = query_SNK.shape[2]
    return (
        query_SNK.device.type == "cuda"
        and query_SNK.dtype in (torch.bfloat16, torch.float16)
        and width % 8 == 0
        and width <= WIDEST_HEAD
        and not dropout
        and len(packing.groups) > 1
        and kernel() is not None
    )


def attend_within(
    query_SNK: Tensor, key_value_S2NK: Tensor, packing: Packing, *, causal: bool
) -> Tensor:
    """(S, N * K): every packed query attends to the keys of its own sequence; causal: only to its own and earlier
    positions."""
    varlen_attn = kernel()
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
