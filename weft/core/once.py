"""What several readers of a row ask for is made once: its bytes are read, and decoded, for all of them."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

T = TypeVar("T")

_KEPT: ContextVar[dict[Hashable, Any] | None] = ContextVar("kept", default=None)


@contextmanager
def once() -> Iterator[None]:
    """Within it `kept` makes each value once, in this thread; all are forgotten at its end.

    It stands around the reading of one row by several models, in several views.
    """
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def kept(key: Hashable, make: Callable[[], T]) -> T:
    """make(), or what it gave for this key before. Outside of `once` it is made each time."""
    values = _KEPT.get()
    if values is None:
        return make()
    if key not in values:
        values[key] = make()
    return cast(T, values[key])
