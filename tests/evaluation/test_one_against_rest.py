"""AUROC and average precision: equal to scikit-learn's, their intervals to those of plain resampling."""

import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.one_against_rest import one_against_rest

WHATS = {"auroc": roc_auc_score, "average_precision": average_precision_score}
every_what = pytest.mark.parametrize("what", WHATS)


def world(rows: int, classes: int, seed: int = 0, digits: int = 1):
    """Scores with many ties, and rows of several classes; groups of two rows."""
    random = np.random.default_rng(seed)
    right = random.random((rows, classes)) < np.linspace(0.1, 0.5, classes)
    scores = (random.normal(size=(rows, classes)) + right).round(digits)
    return scores, right, np.arange(rows) // 2


@every_what
@pytest.mark.parametrize("digits", [0, 1, 6])
def test_equal_to_scikit_learn(what: str, digits: int) -> None:
    scores, right, groups = world(60, 7, digits=digits)
    right[:, 3] = False  # a class without a row has no number
    found = one_against_rest(
        what, scores, right, groups, Bootstrap(groups, resamples=5), separate=9
    )
    assert sorted(found.places) == [0, 1, 2, 4, 5, 6]
    assert (
        right[:, list(found.places)].sum(0).tolist() == sorted(right.sum(0)[right.sum(0) > 0])[::-1]
    )
    for place, one in zip(found.places, found.each, strict=True):
        assert one.value == pytest.approx(WHATS[what](right[:, place], scores[:, place]))
    assert found.mean is not None
    assert found.mean.value == pytest.approx(np.mean([one.value for one in found.each]))


@every_what
def test_a_row_twice_changes_the_number_as_its_influence_says(what: str) -> None:
    """Also where ties are many: the derivative is that of scikit-learn's weights."""
    scores, right, _ = world(40, 1)
    rows = np.arange(40)
    bootstrap = Bootstrap(rows, resamples=400, seed=3)
    (one,) = one_against_rest(what, scores, right, rows, bootstrap, separate=1).each
    base = WHATS[what](right[:, 0], scores[:, 0])
    for number, counts in zip(range(5), next(bootstrap.draws(rows)), strict=False):
        weights = 1 + 1e-4 * (counts - 1)
        slope = (WHATS[what](right[:, 0], scores[:, 0], sample_weight=weights) - base) / 1e-4
        assert one.replicates[number] == pytest.approx(np.clip(base + slope, 0, 1), abs=2e-3)


@every_what
def test_intervals_are_those_of_plain_resampling(what: str) -> None:
    scores, right, groups = world(200, 2)
    bootstrap = Bootstrap(groups, resamples=50)
    mean = one_against_rest(what, scores, right, groups, bootstrap).mean
    assert mean is not None
    plain = [
        np.mean([WHATS[what](right[:, k], scores[:, k], sample_weight=c) for k in range(2)])
        for counts in bootstrap.draws(groups)
        for c in counts
    ]
    assert np.corrcoef(plain, mean.replicates)[0, 1] > 0.95
    assert np.std(mean.replicates) == pytest.approx(np.std(plain), rel=0.15)


@every_what
def test_no_class_with_rows_on_both_sides(what: str) -> None:
    groups = np.arange(4)
    found = one_against_rest(
        what, np.zeros((4, 2)), np.tile([True, False], (4, 1)), groups, Bootstrap(groups)
    )
    assert (found.places, found.mean) == ((), None)


def test_thousands_of_classes_take_seconds() -> None:
    random = np.random.default_rng(0)
    scores = random.random((300, 2000), dtype=np.float32)
    right = np.eye(2000, dtype=bool)[random.integers(0, 2000, 300)]
    start = time.process_time()
    rows = np.arange(300)
    found = one_against_rest("auroc", scores, right, rows, Bootstrap(rows, resamples=2000))
    assert found.mean is not None
    assert found.mean.value == pytest.approx(0.5, abs=0.05)
    assert time.process_time() - start < 20
