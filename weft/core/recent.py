"""A least-recently-used cache with a limit in bytes."""

import collections
import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class RecentBytes(Generic[Value]):
    """Values by key. If they exceed `limit` bytes together, the least recently used are dropped.

    Safe for several threads. A copy in another process starts empty.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._values: collections.OrderedDict[Hashable, tuple[Value, int]] = (
            collections.OrderedDict()
        )
        self._total = 0

    def get(self, key: Hashable) -> Value | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Stores `value` of `size` bytes, unless it alone exceeds the limit."""
        with self._lock:
            if key in self._values:
                self._total -= self._values.pop(key)[1]
            self._values[key] = (value, size)
            self._total += size
            while self._total > self._limit:
                self._total -= self._values.popitem(last=False)[1][1]

    @property
    def total(self) -> int:
        """The number of bytes stored."""
        return self._total

    def __reduce__(self) -> tuple[type["RecentBytes[Value]"], tuple[int]]:
        return RecentBytes, (self._limit,)
