"""Training rows that lack streams for good: the same ones whenever they are read."""

import pytest

from weft.core.samples import Sample
from weft.data.incomplete import Incomplete
from weft.data.no_data import NoDataConfig
from weft.runs.recipe import DataConfig

STREAMS = {"image": ("image",), "audio": ("audio",), "table": ("age", "ward")}
ITEMS = {"image": 1, "audio": 2, "age": 3, "ward": 4, "label": 5}
ROWS = [Sample(f"s{n}", f"s{n}", dict(ITEMS), f"t.csv:{n}") for n in range(2000)]


def test_the_share_holds_and_no_row_loses_all() -> None:
    rows = Incomplete(ROWS, STREAMS, 0.5, seed=0)
    kept = [3 - len(rows.lost(row.id)) for row in ROWS]
    assert set(kept) == {1, 2}
    assert sum(kept) / len(kept) == pytest.approx(1.5, abs=0.04)
    for stream in STREAMS:
        assert sum(stream in rows.lost(row.id) for row in ROWS) / len(ROWS) == pytest.approx(
            0.5, abs=0.04
        )


def test_a_lost_stream_takes_its_columns_and_nothing_else() -> None:
    rows = Incomplete(ROWS, STREAMS, 0.5, seed=0)
    for n in range(50):
        lost = {column for stream in rows.lost(f"s{n}") for column in STREAMS[stream]}
        assert rows[n].items == {name: one for name, one in ITEMS.items() if name not in lost}


def test_what_is_lost_is_of_the_row_and_the_seed() -> None:
    rows, again = Incomplete(ROWS, STREAMS, 0.5, seed=0), Incomplete(ROWS[5:], STREAMS, 0.5, seed=0)
    assert [rows[n + 5] for n in range(40)] == [again[n] for n in range(40)]
    other = Incomplete(ROWS, STREAMS, 0.5, seed=1)
    assert any(rows[n].items != other[n].items for n in range(20))


def test_a_share_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share of 0.8 of 3 streams leaves rows without any"):
        Incomplete(ROWS, STREAMS, 0.8, seed=0)
    with pytest.raises(ValueError, match=r"data.missing is 0.6, expected 0 to 0.5"):
        DataConfig(source=NoDataConfig(), streams={}, optional=("image", "text"), missing=0.6)
    with pytest.raises(ValueError, match=r"data.missing is 0.5, expected 0 to 0"):
        DataConfig(source=NoDataConfig(), streams={}, missing=0.5)
