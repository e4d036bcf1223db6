"""As many rows as there is time for, sampled at random; the clock is given, so that no test depends on the machine."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from weft.core.media import Media
from weft.core.samples import Sample
from weft.fitting import budget
from weft.fitting.budget import affordable, draw, part, rows_in_time
from weft.fitting.goal import read_goal
from weft.fitting.settings import FitSettings
from weft.fitting.table import Table


def test_all_rows_fit_or_as_many_as_half_of_the_time_reads() -> None:
    assert affordable(100_000, 0.01, 2000.0) == 100_000
    assert affordable(100_000, 0.01, 120.0) == 6000
    assert affordable(100_000, 10.0, 1.0) == affordable(100_000, 10.0, -5.0) == budget.LEAST
    assert affordable(budget.FEW, 10.0, 1.0) == budget.FEW


def test_a_picture_of_several_rows_is_read_once() -> None:
    media = [Media.encoded(bytes([n % 3]), "image") for n in range(12)]
    samples = [Sample(f"{n}", "g", {"image": m}, f"row {n}") for n, m in enumerate(media)]
    table = Table(samples, np.arange(12, dtype=np.int64), [None] * 12)
    assert budget.different(table, "image") == 3
    assert affordable(30_000, 0.1, 120.0, seconds_for_all=50.0) == 30_000
    assert affordable(30_000, 0.1, 120.0, seconds_for_all=70.0) == 600


def test_strata_keep_their_share_and_rare_ones_a_row() -> None:
    strata = np.repeat([0, 1, 2], [6000, 2999, 1])
    rows = draw(np.arange(9000), strata, 900, seed=3)
    assert np.bincount(strata[rows]).tolist() == pytest.approx([600, 300, 1], abs=2)
    assert strata[rows].max() == 2
    assert (np.diff(rows) > 0).all()
    assert (rows == draw(np.arange(9000), strata, 900, seed=3)).all()
    assert (rows != draw(np.arange(9000), strata, 900, seed=4)).any()


def test_every_group_gives_a_row_before_any_gives_a_second() -> None:
    clusters = np.repeat(np.arange(50), np.arange(1, 51))
    rows = draw(clusters, np.zeros(len(clusters), np.int64), 50, seed=0)
    assert sorted(clusters[rows].tolist()) == list(range(50))


def _table(rows: int) -> Table:
    samples = [
        Sample(
            f"{n}", f"{n}", {"text": f"day {n % 9}", "mood": "good" if n % 4 else "bad"}, f"row {n}"
        )
        for n in range(rows)
    ]
    splits = ["test" if n % 5 == 0 else "train" for n in range(rows)]
    return Table(samples, np.arange(rows, dtype=np.int64), splits)


def test_a_part_keeps_the_shares_of_the_splits() -> None:
    table, goal = read_goal(_table(3000), "mood", "class")
    rows = part(table, goal.values, 600, seed=0)
    assert rows is not None
    assert len(rows) == 600
    fewer = table.take(rows.tolist())
    assert fewer.splits.count("test") == pytest.approx(120, abs=4)
    assert np.bincount(goal.values[rows]).tolist() == pytest.approx([450, 150], abs=4)
    assert part(table, goal.values, 3000, seed=0) is None


def test_the_speed_of_a_chunk_says_how_many_and_the_same_command_keeps_it(tmp_path: Path) -> None:
    ticks = itertools.count(step=4.0)  # seconds for each batch of 16 rows: 0.25 s a row
    table, kept = _table(3000), tmp_path / "rows.json"

    def rows(minutes: float, deadline: float) -> int:
        return rows_in_time(
            table,
            {"text": "text"},
            FitSettings(minutes=minutes),
            kept,
            deadline=deadline,
            clock=lambda: next(ticks),
        )

    # The clock has ticked 14 times before the time that is left is looked at; words are learned from 192 rows in 4 s.
    assert rows(1, 14 * 4.0 + 2 * 500 * (0.25 + 4 / 192) + 0.1) == 500
    assert rows(1, 1e9) == 500
    assert rows(2, 1e9) == 3000
