"""Settings of `weft fit` that are out of range."""

from typing import Any

import pytest

from weft.core.errors import WeftError
from weft.fitting.settings import FitSettings


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"minutes": 0.0}, "--minutes is 0, expected a number of minutes above 0"),
        ({"folds": 1}, "--folds is 1, expected 2 or more"),
        ({"seed": -3}, "--seed is -3, expected 0 or more"),
    ],
)
def test_one_line_names_the_option(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(WeftError, match="^" + told + "$"):
        FitSettings(**changes)
