"""A limit of rows: spread over a sorted data set."""

import itertools

import pytest

from weft.core.samples import Sample
from weft.data.formats import spread

ROWS = [Sample(str(n), str(n), {"digit": n // 10}, f"row {n}") for n in range(100)]


@pytest.mark.parametrize("most", [1, 7, 10, 99])
def test_rows_are_spread_evenly(most: int) -> None:
    found = [int(row.id) for row in spread(ROWS, most)]
    steps = {after - before for before, after in itertools.pairwise(found)}
    assert len(found) == most
    assert found[0] == 0
    assert max(steps, default=1) - min(steps, default=1) <= 1


@pytest.mark.parametrize("most", [None, 100, 1000])
def test_all_rows_where_that_is_no_limit(most: int | None) -> None:
    assert spread(ROWS, most) is ROWS
