"""Checks that numbers in configs are finite and in range; errors name the setting."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Numbers from `least` to `most`, both included. `says`: how a message describes the range."""

    least: float
    most: float
    says: str

    def __contains__(self, number: float) -> bool:
        # False for NaN, whatever it is compared with.
        return self.least <= number <= self.most


LARGEST = math.nextafter(math.inf, 0.0)
ABOVE_0, BELOW_1 = math.ulp(0.0), math.nextafter(1.0, 0.0)

FINITE = Range(-LARGEST, LARGEST, "a finite number")
NOT_NEGATIVE = Range(0.0, LARGEST, "a finite number, 0 or more")
POSITIVE = Range(ABOVE_0, LARGEST, "a finite number above 0")
SHARE = Range(0.0, 1.0, "a share between 0 and 1")
POSITIVE_SHARE = Range(ABOVE_0, 1.0, "a share above 0, up to 1")
SHARE_BELOW_1 = Range(0.0, BELOW_1, "a share from 0 to below 1")
DECIBELS = Range(-200.0, 200.0, "decibels from -200 to 200")
LARGEST_COUNT = 2**63 - 1


def at_least(least: int, most: int = LARGEST_COUNT) -> Range:
    """Whole numbers from `least` up to 63 bits."""
    return Range(
        least, most, f"at least {least}" if most == LARGEST_COUNT else f"{least} to {most}"
    )


COUNT = at_least(1)
WORKERS = at_least(0, 1024)
"""Threads or processes. A larger number is considered a typing error."""
GENERATED = at_least(1, 100_000)
"""Values generated in one call. A larger number is considered a typing error."""
WINDOW, LEAST_WINDOW = 30.0, 1.0
"""Seconds of a recording that are transcribed at once: the usual maximum, and the smallest possible one."""
SLACK = 0.1
"""Seconds by which a recording may be longer than a window: about a frame of a video."""


def require(config: object, **ranges: Range) -> None:
    """Raises ValueError with the name of the first setting that is out of its range.

    A setting may be a number, a sequence or mapping of numbers, each of which is checked, or None, which is always
    allowed.
    """
    for name, allowed in ranges.items():
        for where, number in _numbers(name, vars(config)[name]):
            if number not in allowed:
                raise ValueError(f"{where} is {number}, expected {allowed.says}")


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(f"{name}[{key!r}]", item)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _numbers(f"{name}[{place}]", item)
    elif value is not None:
        yield name, value
