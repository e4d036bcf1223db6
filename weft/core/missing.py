"""When a row has no value in a column."""

from typing import Any

import numpy as np

MISSING_WORDS = frozenset(("na", "n/a", "nan", "null", "none", "-", "--", "?", "k.a.", "#n/a"))
"""What stands in a column of numbers or dates where a row has no value."""


def is_missing(value: Any) -> bool:
    """Whether a row has no value: None, not-a-number, an empty string or list."""
    match value:
        case None:
            return True
        case float() | np.floating():
            return bool(np.isnan(value))
        case str():
            return not value.strip()
        case list() | tuple():
            return len(value) == 0
    return False
