"""The joint posterior: products against integrals on a grid, divergences against torch's, mixtures by their moments."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.joint_posterior import Experts, Gaussian, Joining, JointPosteriorConfig

STREAMS = ("text", "image", "audio")
PRESENT = torch.tensor([[True, True], [True, False], [True, True]])


def experts() -> Experts:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(3, 2, 4, generator=generator)
    log_variance = torch.randn(3, 2, 4, generator=generator)
    return Experts(Gaussian(mean, log_variance), PRESENT)


def density(mean: Tensor, log_variance: Tensor, places: Tensor) -> Tensor:
    return Normal(mean, (log_variance / 2).exp()).log_prob(places)


@pytest.mark.parametrize("joining", ["product", "total_correlation", "mixture_of_products"])
def test_a_product_has_the_moments_of_its_integral(joining: Joining) -> None:
    """Of the experts that a row has and, with product, of the prior, number by number."""
    given = experts()
    found = JointPosteriorConfig(STREAMS, 4, joining).build().joined(given, PRESENT)
    grid = torch.linspace(-12, 12, 48_001, dtype=torch.float64)
    for row in range(2):
        for place in range(4):
            log = torch.zeros_like(grid)
            if joining == "product":
                log += density(torch.tensor(0.0), torch.tensor(0.0), grid)
            for stream in PRESENT[:, row].nonzero()[:, 0].tolist():
                parts = (one[stream, row, place].double() for one in given.each)
                log += density(*parts, grid)
            weight = (log - log.max()).exp()
            weight = weight / weight.sum()
            mean = (weight * grid).sum()
            variance = (weight * (grid - mean).square()).sum()
            assert float(found.mean[row, place]) == pytest.approx(float(mean), abs=1e-5)
            assert float(found.log_variance[row, place].exp()) == pytest.approx(
                float(variance), rel=1e-4
            )


@pytest.mark.parametrize("joining", ["product", "total_correlation", "mixture"])
def test_of_no_stream_the_prior_is_left(joining: Joining) -> None:
    found = JointPosteriorConfig(STREAMS, 4, joining).build().joined(experts(), PRESENT & False)
    assert not found.mean.any()
    torch.testing.assert_close(found.log_variance, torch.zeros(2, 4))


ROWS = 4000


@pytest.mark.parametrize("joining", get_args(Joining))
@torch.no_grad()
def test_samples_have_the_moments_of_the_joint_distribution(joining: Joining) -> None:
    """Of rows with the same streams: the mean is that of `forward`; a mixture is also spread between its parts."""
    torch.manual_seed(0)
    fusion = JointPosteriorConfig(("text", "image"), 2, joining).build()
    assert fusion.variational == (joining != "mean")
    there = torch.ones(ROWS, 1, dtype=torch.bool)
    means = {"text": torch.tensor([1.0, -2.0]), "image": torch.tensor([3.0, 0.5])}
    streams = {
        name: Features(one.expand(ROWS, 1, 2), there, one.expand(ROWS, 2))
        for name, one in means.items()
    }
    seeds = torch.arange(ROWS)
    found = fusion.sampled(streams, seeds, "test")[JOINT].pooled
    assert torch.equal(found, fusion.sampled(streams, seeds, "test")[JOINT].pooled)
    torch.testing.assert_close(found.mean(0), fusion(streams)[JOINT].pooled[0], atol=0.08, rtol=0)
    variance = torch.full((2,), math.exp(-2.0))  # of each stream, before training
    expected = {
        "mean": torch.zeros(2),
        "product": 1 / (2 / variance + 1),
        "mixture": variance + (means["text"] - means["image"]).square() / 4,
    }.get(joining, variance / 2)
    torch.testing.assert_close(found.var(0), expected, atol=1e-6, rtol=0.1)
    other = fusion.sampled(streams, seeds, "other")[JOINT].pooled
    assert torch.equal(found, other) == (joining == "mean")
    alone = fusion.sampled({"text": streams["text"]}, seeds, "test")[JOINT].pooled
    assert (
        float((alone.mean(0) - fusion({"text": streams["text"]})[JOINT].pooled[0]).abs().max())
        < 0.05
    )


def test_divergences_are_those_of_torch() -> None:
    one, other = (Gaussian(*(part[n] for part in experts().each)) for n in (0, 1))
    normals = [Normal(g.mean, (g.log_variance / 2).exp()) for g in (one, other)]
    torch.testing.assert_close(one.divergence(other), kl_divergence(*normals).sum(-1))
    prior = Normal(torch.zeros(4), torch.ones(4))
    torch.testing.assert_close(one.divergence(), kl_divergence(normals[0], prior).sum(-1))
    torch.testing.assert_close(one.divergence(one), torch.zeros(2))


def test_the_joint_of_a_mixture_is_the_mean_of_what_a_row_has() -> None:
    fusion = JointPosteriorConfig(STREAMS, 4, "mixture").build()
    mean = experts().each.mean
    streams = {
        stream: Features(
            mean[n][:, None].masked_fill(~PRESENT[n][:, None, None], 0),
            PRESENT[n][:, None],
            mean[n].masked_fill(~PRESENT[n][:, None], 0),
        )
        for n, stream in enumerate(STREAMS)
    }
    found = fusion(streams)[JOINT].pooled
    torch.testing.assert_close(found[0], mean[:, 0].mean(0))
    torch.testing.assert_close(found[1], mean[[0, 2], 1].mean(0))
