"""Memory that the process holds without using it."""

import ctypes
import functools
from collections.abc import Callable


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
