"""Weights of query streams against scipy's optimiser, and what they must be in cases with a known answer."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor

from weft.evaluation.query_weights import PENALTY, query_weights

ROWS = 60


def similarities(*signals: float, seed: int = 0) -> Tensor:
    """(S, ROWS, ROWS) noise, with the signal of each stream added where row and entry belong together."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(signals), ROWS, ROWS, generator=generator)
    return 0.2 * (noise + torch.tensor(signals)[:, None, None] * torch.eye(ROWS))


@pytest.mark.parametrize("right", ["one", "two"])
def test_weights_are_those_of_another_optimiser(right: str) -> None:
    given = similarities(3.0, 1.5, 0.8)
    wanted = torch.eye(ROWS, dtype=torch.bool)
    if right == "two":
        wanted = wanted | wanted.roll(1, dims=1)
    share = wanted.numpy() / wanted.sum(1, keepdim=True).numpy()

    def loss(weights: np.ndarray) -> float:
        logits = np.einsum("s,sqn->qn", weights, given.double().numpy())
        likelihood = (share * log_softmax(logits, axis=1)).sum(1).mean()
        return float(PENALTY / 2 * np.square(weights).sum() - likelihood)

    best = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-8}).x
    found = query_weights(given, wanted)
    np.testing.assert_allclose(found.numpy(), best / best.max(), atol=1e-4)


def test_streams_that_tell_as_much_weigh_as_much_and_noise_nothing() -> None:
    right = torch.eye(ROWS, dtype=torch.bool)
    one = similarities(2.5)[0]
    equal = query_weights(torch.stack([one, one.flip(0, 1)]), right)
    torch.testing.assert_close(equal, torch.ones(2, dtype=torch.float64))
    scaled = query_weights(torch.stack([one, one.flip(0, 1) / 2]), right)
    torch.testing.assert_close(scaled, torch.tensor([0.5, 1.0]).double(), atol=0.01, rtol=0)
    strong, noise = query_weights(similarities(3.0, 0.0), right)
    assert strong == 1
    assert noise < 0.2


def test_where_every_row_is_found_weights_are_finite() -> None:
    right = torch.eye(ROWS, dtype=torch.bool)
    found = query_weights(torch.stack([torch.eye(ROWS), torch.eye(ROWS) / 2]), right)
    torch.testing.assert_close(found, torch.tensor([1.0, 0.5]).double(), atol=1e-3, rtol=0)


def test_without_information_all_weigh_the_same() -> None:
    right = torch.eye(ROWS, dtype=torch.bool)
    assert torch.equal(query_weights(torch.zeros(2, ROWS, ROWS), right), torch.ones(2).double())
    assert torch.equal(query_weights(-similarities(3.0, 2.0), right), torch.ones(2).double())
