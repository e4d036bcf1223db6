"""Scores of rows have the metric as their mean, and change as it does."""

import numpy as np
import pytest

from weft.data.targets.tags import TagsConfig
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.one_against_rest import one_against_rest
from weft.fitting.goal import Goal
from weft.fitting.scores import chosen_tags, f1_of_tags, other_scores, row_errors, row_scores

RANDOM = np.random.default_rng(0)
RIGHT = (RANDOM.random((80, 3)) < 0.4).astype(np.float32)
OUTPUTS = RANDOM.normal(size=RIGHT.shape) + RIGHT
GOAL = Goal("tags", "tags", TagsConfig("tags"), RIGHT, ("a", "b", "c"))


def test_average_precision_of_tags_is_the_mean_of_its_row_scores() -> None:
    groups = np.arange(len(RIGHT))
    bootstrap = Bootstrap(groups)
    exact = one_against_rest("average_precision", OUTPUTS, RIGHT > 0.5, groups, bootstrap).mean
    assert exact is not None
    scores = row_scores(OUTPUTS, RIGHT, GOAL)
    assert scores.mean() == pytest.approx(exact.value)
    found, expected = bootstrap.mean(scores, groups).estimate(), exact.estimate()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_f1_and_errors_of_tags() -> None:
    chosen = np.array([[1, 0, 0], [1, 1, 0]], dtype=bool)
    right = np.array([[1, 1, 0], [1, 0, 0]], dtype=bool)
    assert f1_of_tags(chosen, right) == (pytest.approx(2 / 3), pytest.approx(0.5))
    outputs = np.where(chosen, 1.0, -1.0)
    one_cluster = np.zeros(2, dtype=np.int64)
    found = other_scores(outputs, right, GOAL, one_cluster)
    assert found == (pytest.approx(200 / 3), pytest.approx(50))
    np.testing.assert_allclose(row_errors(outputs, right, GOAL), [1 / 3, 1 / 3])


def test_the_threshold_of_tags_is_chosen_on_rows_of_other_clusters() -> None:
    clusters, right = np.arange(80) // 2, RIGHT > 0.5
    low = OUTPUTS - 6  # no tag is said at 0.5
    chosen = chosen_tags(low, right, clusters)
    assert f1_of_tags(low > 0, right)[0] < 0.3 < f1_of_tags(chosen, right)[0]
    part = np.unique(clusters, return_inverse=True)[1] % 5 == 0
    other = right.copy()
    other[part] = ~other[part]  # what is right of these rows does not change what is said of them
    np.testing.assert_array_equal(chosen_tags(low, other, clusters)[part], chosen[part])
