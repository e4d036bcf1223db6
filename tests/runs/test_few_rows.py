"""A split that is too small for its metrics is named."""

import pytest

from weft.core.errors import DataError
from weft.core.samples import Sample
from weft.data.few_rows import FEW, MANY, few_rows, warn_of_few
from weft.runs.train import _warn_of_repeats


class Rows:
    """So many rows of so many groups, of which the first cannot be read."""

    def __init__(self, rows: int, groups: int) -> None:
        self._rows, self._groups = rows, groups

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, row: int) -> Sample:
        if row == 0:
            raise DataError("damaged", source="rows.csv:2")
        return Sample(f"row{row}", f"group{row % self._groups}", {}, f"rows.csv:{row + 2}")


@pytest.mark.parametrize(
    ("rows", "groups", "said"),
    [
        (1, 1, "has 1 row, expected 20 or more"),
        (FEW - 1, FEW - 1, "has 19 rows,"),
        (FEW, FEW - 1, "has 19 groups,"),
        (MANY - 1, 3, "has 3 groups,"),
        (FEW + 1, FEW, ""),
        (MANY, 1, ""),
    ],
)
def test_few_rows_or_groups_are_named(
    rows: int, groups: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_few("test", Rows(rows, groups))
    assert said in caplog.text
    assert (few_rows("test", Rows(rows, groups)) or "") in caplog.text
    assert bool(said) == bool(caplog.text)


@pytest.mark.parametrize(
    ("rows", "size", "said"),
    [
        (100, 128, "a batch has 128 rows, the training split 100: rows repeat within a batch"),
        (1000, 2048, "a batch has 2,048 rows, the training split 1,000: rows repeat"),
        (128, 128, ""),
    ],
)
def test_a_batch_larger_than_the_training_split_is_named(
    rows: int, size: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    _warn_of_repeats(rows, size)
    assert said in caplog.text
    assert bool(said) == bool(caplog.text)
