"""When a row has no value in a column."""

from typing import Any

import numpy as np


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
