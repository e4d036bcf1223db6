"""Metrics of anomaly scores agree with scikit-learn's, and with counting."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from weft.evaluation.anomaly import detection, share_beaten
from weft.evaluation.bootstrap import Bootstrap


def drawn(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    anomalous = random.random(300) < 0.4
    scores = random.normal(size=300) + anomalous
    return (scores.round(1) if ties else scores), anomalous


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_numbers_are_those_of_scikit_learn(seed: int, ties: bool) -> None:
    scores, anomalous = drawn(seed, ties)
    groups = np.arange(300)
    found = detection(scores, anomalous, groups, Bootstrap(groups, resamples=50))
    assert found.auroc.value == pytest.approx(roc_auc_score(anomalous, scores))
    assert found.average_precision.value == pytest.approx(
        average_precision_score(anomalous, scores)
    )
    false, true, _ = roc_curve(anomalous, scores, drop_intermediate=False)
    assert found.fpr95.value == pytest.approx(false[(true >= 0.95 - 1e-9).argmax()])
    beaten = share_beaten(scores[~anomalous], scores[anomalous])
    assert beaten.mean() == pytest.approx(found.auroc.value)


def test_the_interval_of_the_false_alarms_holds_what_other_draws_have() -> None:
    scores, anomalous = drawn(0, False)
    groups = np.arange(300)
    interval = detection(scores, anomalous, groups, Bootstrap(groups)).fpr95.estimate()
    others = []
    for seed in range(1, 41):
        again, kinds = drawn(seed, False)
        others.append(detection(again, kinds, groups, Bootstrap(groups, resamples=1)).fpr95.value)
    inside = np.mean([interval.low <= other <= interval.high for other in others])
    assert inside > 0.7  # both the interval and the other draws vary
    assert interval.low < interval.value < interval.high


def test_a_resample_without_anomalous_rows_says_nothing() -> None:
    """Of one anomalous row among many, a third of the resamples lack it."""
    scores, groups = np.arange(20.0), np.arange(20)
    anomalous = groups == 10
    found = detection(scores, anomalous, groups, Bootstrap(groups)).fpr95
    assert found.value == pytest.approx(9 / 19)
    assert (found.replicates > 0).all()


def test_equal_scores_of_all_rows_are_chance() -> None:
    groups = np.arange(10)
    found = detection(np.zeros(10), groups < 5, groups, Bootstrap(groups, resamples=9))
    assert (found.auroc.value, found.average_precision.value, found.fpr95.value) == (0.5, 0.5, 1)


def test_rows_of_one_kind_are_refused() -> None:
    groups = np.arange(4)
    for kind in (True, False):
        with pytest.raises(ValueError, match="all rows are of one kind"):
            detection(np.arange(4), [kind] * 4, groups, Bootstrap(groups, resamples=9))
