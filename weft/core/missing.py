"""Decides whether a row has no value in a column."""

from typing import Any

import numpy as np

MISSING_WORDS = frozenset(("na", "n/a", "nan", "null", "none", "-", "--", "?", "k.a.", "#n/a"))
"""Words that mark a missing value in a column of numbers or dates."""


def is_missing(value: Any) -> bool:
    """Whether the value is missing: None, NaN, an empty string or an empty list."""
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
