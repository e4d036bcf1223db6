"""Linear models: the strength is chosen on other clusters, scaling is undone, sparse and dense agree."""

import numpy as np
from scipy import sparse

from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.data.targets.tags import TagsConfig
from weft.fitting.features import Layout
from weft.fitting.goal import Goal
from weft.fitting.linear import linear
from weft.fitting.models import Training

RANDOM = np.random.default_rng(0)
MATRIX = (RANDOM.normal(size=(400, 6)) * [1, 1000, 0.01, 1, 1, 0] + 5).astype(np.float32)
LAYOUT = Layout(np.array([0, 1, 2, 3, 3, 4]), np.zeros(6, dtype=bool))


def training(values: np.ndarray, matrix: np.ndarray = MATRIX) -> Training:
    rows = len(values)
    return Training(matrix, values, np.arange(rows), np.zeros(rows, dtype=np.int64))


def test_a_number_is_found_whatever_the_scales() -> None:
    values = MATRIX[:, 0] + 0.002 * MATRIX[:, 1] - 100 * MATRIX[:, 2]
    goal = Goal("y", "number", NumbersConfig("y"), values.astype(np.float64))
    fitted = linear(training(goal.values), goal, LAYOUT)
    away = np.abs(fitted.outputs(MATRIX)[:, 0] - values)
    assert away.mean() < 0.05 * np.abs(values - values.mean()).mean()
    assert fitted.weight[5, 0] == 0  # it is the same in every row


def test_classes_and_one_that_no_row_has() -> None:
    values = (MATRIX[:, 1] > 5).astype(np.int64)
    goal = Goal("y", "class", ClassesConfig("y"), values, ("a", "b", "never"))
    outputs = linear(training(values), goal, LAYOUT).outputs(MATRIX)
    assert (outputs.argmax(1) == values).mean() > 0.95
    assert (outputs[:, 2] < outputs[:, :2].max(1)).all()


def test_sparse_columns_give_what_dense_ones_give() -> None:
    counts = np.abs(RANDOM.normal(size=(400, 5))).astype(np.float32)
    counts[counts < 0.8] = 0
    values = (counts[:, 0] > counts[:, 1]).astype(np.int64)
    goal = Goal("y", "class", ClassesConfig("y"), values, ("a", "b"))
    layout = Layout(np.zeros(5, dtype=np.intp), np.ones(5, dtype=bool))
    dense = linear(training(values, counts), goal, layout).outputs(counts)
    scarce = sparse.csr_array(counts)
    found = linear(training(values, scarce), goal, layout).outputs(scarce)
    np.testing.assert_allclose(found, dense, atol=0.05 * np.abs(dense).max())


def test_noise_is_answered_by_the_strongest_penalty() -> None:
    values = RANDOM.integers(0, 2, 400)
    goal = Goal("y", "class", ClassesConfig("y"), values, ("a", "b"))
    outputs = linear(training(values), goal, LAYOUT).outputs(MATRIX)
    assert np.ptp(outputs[:, 1] - outputs[:, 0]) < 0.5


def test_a_column_that_is_constant_in_training_says_nothing_of_other_rows() -> None:
    matrix = np.abs(RANDOM.normal(size=(300, 3))).astype(np.float32)
    matrix[:, 2] = 0.1234567
    values = matrix[:, 0].astype(np.float64)
    goal = Goal("y", "number", NumbersConfig("y"), values)
    layout = Layout(np.arange(3), np.array([True, False, False]))
    fitted = linear(training(values, sparse.csr_array(matrix)), goal, layout)
    other = matrix.copy()
    other[:, 2] = 5
    np.testing.assert_allclose(fitted.outputs(other), fitted.outputs(matrix))


def test_tags_are_a_logistic_regression_each() -> None:
    tags = np.stack([MATRIX[:, 0] > 5, MATRIX[:, 1] > 5, np.ones(400)], axis=1).astype(np.float32)
    goal = Goal("y", "tags", TagsConfig("y"), tags, ("a", "b", "always"))
    outputs = linear(training(tags), goal, LAYOUT).outputs(MATRIX)
    assert ((outputs > 0) == (tags > 0.5)).mean(axis=0).min() > 0.95
    one = Goal("y", "class", ClassesConfig("y"), tags[:, 0].astype(np.int64), ("no", "a"))
    alone = linear(training(one.values), one, LAYOUT).outputs(MATRIX)
    agree = np.corrcoef(outputs[:, 0], alone[:, 1] - alone[:, 0])[0, 1]
    assert agree > 0.98
