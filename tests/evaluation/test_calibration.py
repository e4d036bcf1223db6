"""Expected calibration error against its definition, and against torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import BinaryCalibrationError

from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.calibration import BINS, calibration


def test_equal_to_torchmetrics() -> None:
    random = np.random.default_rng(0)
    confidence, right = random.random(500), random.random(500) < 0.6
    groups = np.arange(500) // 2
    found = calibration(confidence, right, groups, Bootstrap(groups, resamples=200))
    expected = BinaryCalibrationError(n_bins=BINS, norm="l1")
    # Of a probability of one of two classes torchmetrics takes it as the confidence of class 1.
    value = float(expected(torch.from_numpy(confidence), torch.from_numpy(right).int()))
    assert found.ece.value == pytest.approx(value, abs=1e-6)
    assert found.counts.sum() == 500
    estimate = found.ece.estimate()
    assert estimate.low < estimate.high
    assert estimate.groups == 250


def test_bins_hold_their_upper_edge_and_may_be_empty() -> None:
    groups = np.arange(4)
    right = [True, True, False, True]
    found = calibration([1.0, 0.2, 0.2, 0.0], right, groups, Bootstrap(groups, resamples=10))
    assert np.flatnonzero(found.counts).tolist() == [0, 2, BINS - 1]
    assert found.counts[[0, 2, BINS - 1]].tolist() == [1, 2, 1]
    assert found.accuracy[[0, 2, BINS - 1]].tolist() == [1, 0.5, 1]
    assert np.isnan(found.confidence[1])
    assert found.ece.value == pytest.approx((1 + 2 * 0.3 + 0) / 4)
