"""Ranks and NDCG of a few candidates, by hand and beside scikit-learn."""

import itertools
import math

import pytest
import torch

from weft.evaluation.candidates import chance, chance_ndcg, ndcg, rank_of_right


def test_rank_counts_ties_against_the_right_one() -> None:
    scores = torch.tensor([0.5, 0.9, 0.5, 0.1])
    assert [rank_of_right(scores, right) for right in range(4)] == [3, 1, 3, 4]


def test_ndcg_by_hand() -> None:
    relevance = torch.tensor([0.0, 1.0, 0.5, 0.0])
    # Two are relevant, so the first two count: candidates 0 (0) and 2 (0.5).
    scores = torch.tensor([0.9, 0.1, 0.8, 0.2])
    best = 1 / math.log2(2) + 0.5 / math.log2(3)
    assert ndcg(scores, relevance) == pytest.approx(0.5 / math.log2(3) / best)
    assert ndcg(relevance, relevance) == pytest.approx(1)
    assert ndcg(scores, torch.zeros(4)) == 0
    # Among equal scores the irrelevant ones come first.
    assert ndcg(torch.zeros(4), relevance) == 0


def test_ndcg_beside_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        scores = torch.rand(12, generator=generator)
        relevance = (torch.rand(12, generator=generator) - 0.5).clamp(min=0)
        k = int((relevance > 0).sum())
        expected = metrics.ndcg_score(relevance[None].numpy(), scores[None].numpy(), k=k)
        assert ndcg(scores, relevance) == pytest.approx(expected)


def test_chance() -> None:
    recall, reciprocal, rank = chance(4, 1)
    assert (recall, rank) == (0.25, 2.5)
    assert reciprocal == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert chance(4, 10)[0] == 1


def test_chance_of_ndcg_is_its_mean_over_all_orders() -> None:
    relevance = torch.tensor([0.0, 1.0, 0.4, 0.0, 0.2])
    orders = [torch.tensor(order) for order in itertools.permutations(range(5))]
    mean = sum(ndcg(order, relevance) for order in orders) / len(orders)
    assert chance_ndcg(relevance) == pytest.approx(mean)
    assert chance_ndcg(torch.zeros(3)) == 0
