"""Settings out of their range are refused by name."""

import math
from dataclasses import dataclass, field

import pytest

from weft.core.config import Config
from weft.core.ranges import COUNT, POSITIVE, SHARE_BELOW_1, at_least, require


@dataclass(frozen=True)
class Settings(Config):
    rate: float = 0.1
    shares: tuple[float, float] = (0.9, 0.98)
    factors: dict[str, float] = field(default_factory=dict)
    limit: int | None = None
    few: int = 2

    def __post_init__(self) -> None:
        require(self, rate=POSITIVE, shares=SHARE_BELOW_1, factors=POSITIVE, limit=COUNT)
        require(self, few=at_least(1, 5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": math.inf}, "rate is inf, expected a finite number above 0"),
        ({"rate": math.nan}, "rate is nan, expected a finite number above 0"),
        ({"rate": 0.0}, "rate is 0.0, expected a finite number above 0"),
        ({"shares": (0.5, 1.0)}, r"shares\[1\] is 1.0, expected a share from 0 to below 1"),
        ({"factors": {"text": -1.0}}, r"factors\['text'\] is -1.0, expected a finite"),
        ({"limit": 0}, "limit is 0, expected at least 1"),
        ({"limit": 2**63}, "limit is 9223372036854775808, expected at least 1"),
        ({"few": 6}, "few is 6, expected 1 to 5"),
    ],
)
def test_what_is_out_of_range_is_named(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**changes)


def test_what_fits_is_taken() -> None:
    assert Settings(rate=1e-300, shares=(0.0, 0.0), factors={"a": 1e9}, limit=2**62).few == 2
