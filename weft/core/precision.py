"""The precision of matrix products: chosen by the user or by a measurement on this machine."""

import functools
import time
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]
"""auto: bf16 if this machine multiplies faster in it, otherwise fp32."""


def resolved(precision: Precision, device: torch.device | str) -> Literal["fp32", "bf16"]:
    """The precision that the setting means on `device`; `auto` is measured."""
    if precision == "auto":
        return "bf16" if bf16_is_faster(torch.device(device).type) else "fp32"
    return precision


def autocast(precision: Precision, device: torch.device | str) -> AbstractContextManager[Any]:
    """Within it matrix products are computed in this precision; the weights keep their type."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=resolved(precision, device) == "bf16")


@functools.cache
def bf16_is_faster(kind: str) -> bool:
    """Whether a device of this kind multiplies faster in bf16 than in fp32.

    Processors without bf16 instructions emulate them: with AVX2 alone, thirty times slower than fp32. Timing
    matrix products, the best of three, needs no list of processors.
    """
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _product_seconds(torch.bfloat16) < 0.8 * _product_seconds(torch.float32)


def _product_seconds(dtype: torch.dtype) -> float:
    rows, columns = torch.ones(256, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    torch.mm(rows, columns)  # warm-up: the first call prepares kernels
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        torch.mm(rows, columns)
        best = min(best, time.perf_counter() - start)
    return best
