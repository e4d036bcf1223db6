"""Numbers that no setting may have, laid into every number of a config."""

import dataclasses
import math
from typing import Any

import pytest

from weft.core.config import Config

NEVER = (math.nan, math.inf, -math.inf)
SIGNED = {"bias", "mean"}
"""Any finite number will do."""


def assert_refused_by_name(config: Config) -> int:
    """Every number of `config` out of its range is refused by its name; gives how many there are."""
    settings = [f.name for f in dataclasses.fields(config) if _is_number(vars(config)[f.name])]
    for name in settings:
        value = vars(config)[name]
        for number in NEVER if name in SIGNED else (*NEVER, -1.0 - abs(_first(value))):
            broken = (number, *value[1:]) if isinstance(value, tuple) else number
            with pytest.raises(ValueError, match=rf"\b{name}\b"):
                config.replace(**{name: broken})
    return len(settings)


def _is_number(value: Any) -> bool:
    return isinstance(_first(value), int | float) and not isinstance(value, bool)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else value
