"""The peak memory of the process, and how to release free memory."""

import ctypes
import functools
import math
import sys
from collections.abc import Callable

import torch


def peak_memory() -> float:
    """The most bytes that this process has held so far: on the GPU if it uses one, otherwise on the host.

    NaN if the operating system does not report it.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return float(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows has none
        return math.nan
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(largest if sys.platform == "darwin" else largest * 1024)


def return_free_memory() -> None:
    """Returns freed host memory to the operating system, if the C library can (glibc).

    Small objects that stay, such as the nodes of a graph, are between large ones that are freed. The gaps are too
    small for the next allocations, so the process would grow although its tensors do not.
    """
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return lambda _: None
    return trim
