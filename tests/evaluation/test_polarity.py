"""Classes of scores around zero: against scikit-learn, resample by resample, and where a class is not there."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.polarity import around_zero, polarity

LIMITS = (-3.0, 3.0)


def scores() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    right = random.integers(-6, 7, 90) / 2
    return right + random.normal(0, 1.5, 90), right, random.integers(0, 12, 90)


def by_hand(found: np.ndarray, right: np.ndarray) -> dict[str, float]:
    other = right != 0
    return {
        "acc": float(((found >= 0) == (right >= 0)).mean()),
        "f1": f1_score(right >= 0, found >= 0, average="weighted"),
        "acc_other": float(((found > 0) == (right > 0))[other].mean()),
        "f1_other": f1_score(right[other] > 0, found[other] > 0, average="weighted"),
        "acc_7": float((np.clip(found, -3, 3).round() == right.round()).mean()),
    }


def test_values_and_resamples_are_those_of_the_formula() -> None:
    found, right, groups = scores()
    bootstrap = Bootstrap(groups, resamples=30, seed=1)
    said = polarity(found, right, LIMITS, groups, bootstrap)
    assert said.non_zero is not None
    assert said.classes == 7
    of = {
        "acc": said.non_negative.accuracy,
        "f1": said.non_negative.f1,
        "acc_other": said.non_zero.accuracy,
        "f1_other": said.non_zero.f1,
        "acc_7": said.accuracy,
    }
    again = []
    for counts in np.concatenate(list(bootstrap.draws(groups))):
        rows = np.repeat(np.arange(len(groups)), counts)
        again.append(by_hand(found[rows], right[rows]))
    for name, value in by_hand(found, right).items():
        assert of[name].value == pytest.approx(value)
        np.testing.assert_allclose(of[name].replicates, [one[name] for one in again])


def test_one_class_alone_is_defined() -> None:
    groups = np.arange(6)
    bootstrap = Bootstrap(groups, resamples=20)
    zeros = polarity(np.linspace(-1, 1, 6), np.zeros(6), LIMITS, groups, bootstrap)
    assert zeros.non_zero is None
    assert zeros.non_negative.accuracy.value == 0.5
    some = np.array([0.0, 0, 0, 0, 0, 2])
    one = polarity(np.ones(6), some, LIMITS, groups, bootstrap)
    assert one.non_zero is not None
    assert one.non_zero.accuracy.value == one.non_zero.f1.value == 1
    assert not np.isnan(one.non_zero.f1.replicates).any()


def test_only_a_scale_with_both_signs_lies_around_zero() -> None:
    assert around_zero((-1.0, 1.0))
    assert not around_zero((0.0, 5.0))
    assert not around_zero(None)
