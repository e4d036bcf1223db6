"""A cache for the reading of one row: its bytes are read and decoded once for all readers."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

T = TypeVar("T")

_KEPT: ContextVar[dict[Hashable, Any] | None] = ContextVar("kept", default=None)


@contextmanager
def once() -> Iterator[None]:
    """Within it `kept` computes each value once per thread. The values are dropped at its end.

    Use it around the reading of one row by several models, in several views.
    """
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def kept(key: Hashable, make: Callable[[], T]) -> T:
    """The result of `make()`, from the cache if the key is known. Outside `once` it is computed in every call."""
    values = _KEPT.get()
    if values is None:
        return make()
    if key not in values:
        values[key] = make()
    return cast(T, values[key])
