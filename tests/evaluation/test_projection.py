"""Points in the plane keep the neighbourhoods of their vectors."""

import numpy as np
import pytest

from weft.evaluation.projection import principal_components, tsne


def clusters(count: int = 20, width: int = 16) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    centres = random.normal(size=(4, width))
    vectors = np.concatenate([c + 0.2 * random.normal(size=(count, width)) for c in centres])
    return vectors, np.repeat(np.arange(4), count)


def test_components_are_those_of_the_covariance() -> None:
    vectors, _ = clusters()
    found = principal_components(vectors)
    values = np.linalg.eigvalsh(np.cov(vectors.T))[::-1]
    assert found.var(axis=0, ddof=1) == pytest.approx(values[:2])
    assert found[:, 0] @ found[:, 1] == pytest.approx(0, abs=1e-8)


def test_neighbours_stay_neighbours() -> None:
    vectors, labels = clusters()
    points = tsne(vectors)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    near = distances.argsort(axis=1)[:, :10]
    assert (labels[near] == labels[:, None]).mean() > 0.98
    assert np.array_equal(points, tsne(vectors))


@pytest.mark.parametrize("count", [1, 2, 4, 7])
@pytest.mark.parametrize("same", [False, True])
def test_few_or_equal_vectors_have_finite_points(count: int, same: bool) -> None:
    vectors = np.ones((count, 3)) if same else np.random.default_rng(0).normal(size=(count, 3))
    points = tsne(vectors)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
