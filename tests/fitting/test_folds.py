"""Folds hold whole clusters and even shares of the classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.fitting.folds import grouped_folds, make_plan
from weft.fitting.table import Table


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=4, max_size=60))
def test_each_row_is_held_once_and_no_cluster_is_split(rows: list[tuple[int, int]]) -> None:
    clusters, strata = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(clusters.tolist())) < 2:
        with pytest.raises(WeftError, match="one group"):
            grouped_folds(clusters, strata, 5, 0)
        return
    folds = grouped_folds(clusters, strata, 5, 0)
    held = np.concatenate([fold.held for fold in folds])
    assert sorted(held.tolist()) == list(range(len(rows)))
    for fold in folds:
        assert not set(clusters[fold.train].tolist()) & set(clusters[fold.held].tolist())
        assert len(fold.train) + len(fold.held) == len(rows)


def test_shares_of_classes_are_even() -> None:
    strata = np.array([0] * 80 + [1] * 20)
    for fold in grouped_folds(np.arange(100), strata, 5, 0):
        assert len(fold.held) == 20
        assert (strata[fold.held] == 1).sum() == 4


def table(rows: int, splits: dict[int, str], groups: int) -> Table:
    samples = [Sample(str(n), str(n % groups), {}, f"row {n}") for n in range(rows)]
    clusters = np.array([n % groups for n in range(rows)])
    return Table(samples, clusters, [splits.get(n) for n in range(rows)])


def test_the_datas_own_splits_are_kept_and_a_shared_group_is_of_the_strictest() -> None:
    splits = {n: "train" if n < 30 else "validation" if n < 80 else "test" for n in range(100)}
    plan = make_plan(table(100, splits, 100), np.zeros(100, dtype=np.int64))
    assert len(plan.folds) == 1
    assert plan.test is not None
    assert plan.test.tolist() == list(range(80, 100))
    assert plan.held.tolist() == list(range(30, 80))
    assert plan.final.tolist() == list(range(30))
    shared = make_plan(table(100, splits, 95), np.zeros(100, dtype=np.int64))
    assert shared.test is not None
    assert shared.test.tolist() == list(range(80, 100))
    assert shared.final.tolist() == list(range(5, 30))  # rows 95 to 99 are of the groups of 0 to 4
    assert "left out: 5 rows" in shared.said


def test_few_rows_are_measured_by_folds_and_trained_on_together() -> None:
    plan = make_plan(table(50, dict.fromkeys(range(40, 50), "test"), 50), np.arange(50) % 2)
    assert len(plan.folds) == 5
    assert plan.test is not None
    assert sorted(plan.held.tolist()) == list(range(40)) == plan.final.tolist()


def test_many_rows_are_divided_by_group() -> None:
    rows = table(3000, {}, 1500)
    plan = make_plan(rows, np.zeros(3000, dtype=np.int64))
    assert len(plan.folds) == 1
    assert plan.test is not None
    parts = [plan.folds[0].train, plan.folds[0].held, plan.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(3000))
    groups = [set(rows.clusters[part].tolist()) for part in parts]
    assert sum(map(len, groups)) == 1500


def test_a_validation_split_of_few_groups_is_compared_by_folds_with_the_training_rows() -> None:
    splits = {n: "train" if n < 60 else "validation" if n < 70 else "test" for n in range(100)}
    plan = make_plan(table(100, splits, 100), np.zeros(100, dtype=np.int64))
    assert len(plan.folds) == 5
    assert sorted(plan.held.tolist()) == list(range(70))
    assert plan.test is not None
    assert plan.test.tolist() == list(range(70, 100))
