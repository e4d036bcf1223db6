"""KID, FID, precision and recall agree with torchmetrics, with scipy and with plain loops."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn

from weft.evaluation import drawn

RANDOM = np.random.default_rng(0)
REAL = RANDOM.normal(size=(60, 6))
DRAWN = RANDOM.normal(0.3, 1.4, size=(45, 6)) @ RANDOM.normal(size=(6, 6)) / 2


class Features(nn.Module):
    """Gives the features that stand in the "pictures"."""

    num_features = 6

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.flatten(1)


def fed(metric):
    for values, real in ((REAL, True), (DRAWN, False)):
        metric.update(torch.from_numpy(values), real=real)
    return metric


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save")
def test_kid_is_that_of_torchmetrics() -> None:
    image = pytest.importorskip("torchmetrics.image.kid")
    metric = image.KernelInceptionDistance(
        Features(), subsets=1, subset_size=len(DRAWN), normalize=False
    )
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(REAL[: len(DRAWN)]), real=True)
    metric.update(torch.from_numpy(DRAWN), real=False)
    expected, _ = metric.compute()
    found = drawn.kid(REAL[: len(DRAWN)], DRAWN)
    assert found == pytest.approx(float(expected), abs=1e-4, rel=1e-4)


def test_kid_is_the_sum_over_pairs() -> None:
    def kernel(one, other):
        return (one @ other / len(one) + 1) ** 3

    def within(rows):
        pairs = [kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]
        return np.mean(pairs)

    between = np.mean([kernel(a, b) for a in REAL for b in DRAWN])
    expected = within(REAL) + within(DRAWN) - 2 * between
    assert drawn.kid(REAL, DRAWN) == pytest.approx(expected, rel=1e-10)


def test_rows_of_kid_have_its_mean_and_its_spread() -> None:
    """The error by the rows is the spread over many pairs of samples; the pairs' own deviations have half of it."""
    rows = drawn.kid_rows(REAL[:45], DRAWN)
    assert rows.mean() == pytest.approx(drawn.kid(REAL[:45], DRAWN), rel=1e-10)
    random = np.random.default_rng(2)
    found, errors = [], []
    for _ in range(200):
        one, other = random.normal(size=(80, 3)), random.normal(0.8, 1.2, size=(80, 3))
        found.append(drawn.kid(one, other))
        errors.append(drawn.kid_rows(one, other).std(ddof=1) / np.sqrt(80))
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.2)


def test_fid_is_that_of_torchmetrics_and_of_a_matrix_root() -> None:
    image = pytest.importorskip("torchmetrics.image.fid")
    metric = image.FrechetInceptionDistance(Features(), input_img_size=(6,), normalize=False)
    metric.set_dtype(torch.float64)
    found = drawn.fid(REAL, DRAWN)
    assert found == pytest.approx(float(fed(metric).compute()), abs=1e-4, rel=1e-4)
    one, other = np.cov(REAL, rowvar=False), np.cov(DRAWN, rowvar=False)
    apart = REAL.mean(0) - DRAWN.mean(0)
    expected = apart @ apart + np.trace(one + other - 2 * sqrtm(one @ other).real)
    assert found == pytest.approx(expected, rel=1e-8)
    assert drawn.fid(REAL, REAL) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_are_those_of_loops(k: int) -> None:
    def near(known, asked):
        inside = []
        for row in asked:
            reaches = [np.sort(np.linalg.norm(known - one, axis=1))[k] for one in known]
            away = np.linalg.norm(known - row, axis=1)
            inside.append((away <= reaches).any())
        return np.mean(inside)

    precision, recall = drawn.precision_recall(REAL, DRAWN, k)
    assert precision == pytest.approx(near(REAL, DRAWN))
    assert recall == pytest.approx(near(DRAWN, REAL))
    assert recall > 0


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn.precision_recall(REAL, DRAWN), drawn.nearest(REAL, DRAWN), drawn.kid(REAL, DRAWN)
    monkeypatch.setattr(drawn, "CHUNK", 7)
    parts = drawn.precision_recall(REAL, DRAWN), drawn.nearest(REAL, DRAWN), drawn.kid(REAL, DRAWN)
    assert parts[0] == whole[0]
    assert parts[2] == pytest.approx(whole[2], rel=1e-12)
    assert np.array_equal(parts[1][0], whole[1][0])


def test_the_interval_of_kid_covers_the_distance_of_equal_distributions() -> None:
    """A nominal 95 % interval, over 60 pairs of samples of one distribution."""
    random, inside = np.random.default_rng(1), 0
    for seed in range(60):
        one, other = random.normal(size=(2, 50, 4))
        found = drawn.kid_estimate(one, other, subsets=80, seed=seed)
        inside += found.low <= 0 <= found.high
    assert inside >= 51


def test_spread_and_nearest_of_known_rows() -> None:
    rows = np.array([[0.0], [2.0], [10.0], [10.0], [11.0], [5.0]])
    groups = np.array([1, 1, 2, 2, 2, 3])
    assert drawn.spread_within(rows, groups) == pytest.approx((2 + 2 / 3) / 2)
    assert np.isnan(drawn.spread_within(rows, np.arange(6)))
    places, away = drawn.nearest(rows, np.array([[9.0], [4.9]]))
    assert places.tolist() == [2, 5]
    assert away == pytest.approx([1.0, 0.1])
