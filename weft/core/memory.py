"""Memory that the process holds: at most, and without using it."""

import ctypes
import functools
import math
import sys
from collections.abc import Callable

import torch


def peak_memory() -> float:
    """The most bytes that this process has held so far: of the graphics card if it uses one, else of the host.

    NaN where the system does not say.
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
    """Gives what was freed on the host back to the system, where the C library can (glibc).

    Small objects that stay, such as the nodes of a graph, lie between large ones that go; the holes
    are too small for what comes next, and the process grows although its tensors do not.
    """
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return lambda _: None
    return trim
