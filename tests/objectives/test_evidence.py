"""The sets of streams of which latents are made, and what is added to the reconstruction, by their formulas."""

from collections import Counter
from typing import get_args

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from weft.core.records import Batch
from weft.fusion.joint_posterior import Experts, Gaussian, Joining, JointPosteriorConfig
from weft.objectives.evidence import Evidence, EvidenceConfig

STREAMS, ROWS, DIM = ("image", "text", "audio"), 6000, 4
HAS = ((True, True, True), (True, False, True), (False, True, False), (False, False, False))
"""What every fourth row has."""


def parts(joining: Joining) -> tuple[Evidence, object, Experts, Batch]:
    generator = torch.Generator().manual_seed(0)
    each = Gaussian(*torch.randn(2, 3, ROWS, DIM, generator=generator))
    present = torch.tensor(HAS).repeat(ROWS // 4, 1).T
    seeds = torch.randint(2**62, (ROWS,), generator=generator)
    batch = Batch(
        inputs={},
        targets={},
        ids=tuple(map(str, range(ROWS))),
        groups=torch.arange(ROWS),
        seeds=seeds,
    )
    fusion = JointPosteriorConfig(STREAMS, DIM, joining).build()
    return EvidenceConfig(alone=0.7).build(), fusion, Experts(each, present), batch


def shares(joining: Joining, row: int) -> dict[tuple[bool, ...], float]:
    evidence, fusion, experts, batch = parts(joining)
    chosen = evidence.chosen(fusion, experts, batch)  # type: ignore[arg-type]
    assert not (chosen & ~experts.present).any()
    counts = Counter(tuple(one) for one in chosen[:, row::4].T.tolist())
    return {one: count / (ROWS // 4) for one, count in counts.items()}


@pytest.mark.parametrize("joining", ["mean", "mixture_of_products"])
def test_all_sets_of_what_a_row_has_are_equally_probable(joining: Joining) -> None:
    """MoPoE is a mixture of equal parts: of three streams seven sets, of two three."""
    for row, sets in ((0, 7), (1, 3), (2, 1)):
        found = shares(joining, row)
        assert len(found) == sets
        for share in found.values():
            assert share == pytest.approx(1 / sets, abs=0.04)
    assert shares(joining, 3) == {(False, False, False): 1.0}


def test_a_mixture_takes_one_stream_and_a_product_all_in_half_of_the_rows() -> None:
    found = shares("mixture", 0)
    assert all(sum(one) == 1 for one in found)
    assert list(found.values()) == pytest.approx([1 / 3] * 3, abs=0.04)
    assert len(shares("mixture", 1)) == 2
    product = shares("product", 0)
    assert product[(True, True, True)] == pytest.approx(1 / 2 + 1 / 14, abs=0.04)
    assert shares("total_correlation", 1) == {(True, False, True): 1.0}


@pytest.mark.parametrize("joining", get_args(Joining))
def test_the_divergence_is_that_of_torch(joining: Joining) -> None:
    evidence, fusion, experts, batch = parts(joining)
    posterior = fusion.joined(experts, evidence.chosen(fusion, experts, batch))  # type: ignore[attr-defined, arg-type]
    found = evidence.divergence(fusion, experts, posterior)  # type: ignore[arg-type]

    def normal(one: Gaussian) -> Normal:
        return Normal(one.mean, (one.log_variance / 2).exp())

    prior = Normal(torch.zeros(DIM), torch.ones(DIM))
    from_prior = kl_divergence(normal(posterior), prior).sum(-1)
    expected = torch.zeros(ROWS) if joining == "mean" else from_prior
    if joining == "total_correlation":
        each = kl_divergence(normal(posterior), normal(experts.each)).sum(-1)
        there = experts.present.float()
        alone = (each * there).sum(0) / there.sum(0).clamp_min(1)
        expected = 0.3 * from_prior + 0.7 * alone
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
