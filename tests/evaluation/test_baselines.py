"""Analytic chance against brute force and simulation."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom

from weft.evaluation.baselines import classification_baselines, retrieval_chance
from weft.evaluation.ranking import rank_queries


@pytest.mark.parametrize(("positives", "gallery"), [(1, 6), (2, 6), (3, 5), (5, 5)])
def test_chance_equals_all_orders(positives, gallery):
    ranks, precisions = [], []
    for places in itertools.combinations(range(1, gallery + 1), positives):
        ranks.append(places[0])
        precisions.append(np.mean([(n + 1) / place for n, place in enumerate(places)]))
    ranks = np.array(ranks)
    chance = retrieval_chance([positives], gallery, ks=(1, 2, 10))
    assert chance.recall == pytest.approx({k: np.mean(ranks <= k) for k in (1, 2, 10)})
    assert chance.mean_rank == pytest.approx(ranks.mean())
    assert chance.average_precision == pytest.approx(np.mean(precisions))
    assert chance.reciprocal_rank == pytest.approx(np.mean(1 / ranks))
    assert chance.median_rank == np.sort(ranks)[(len(ranks) - 1) // 2]


def test_chance_on_flickr8k_protocol():
    """1,000 images and 5,000 captions, as published tables give it."""
    to_text = retrieval_chance(np.full(1000, 5), 5000)
    assert to_text.recall[10] == pytest.approx(1 - hypergeom(5000, 5, 10).pmf(0))
    assert 100 * to_text.recall[1] == pytest.approx(0.1)
    assert to_text.median_rank == pytest.approx(647, abs=1)
    to_image = retrieval_chance(np.ones(5000, dtype=int), 1000)
    assert 100 * np.array(list(to_image.recall.values())) == pytest.approx([0.1, 0.5, 1.0])
    assert to_image.median_rank == 500


def test_chance_with_unequal_groups_agrees_with_simulation():
    groups = torch.tensor([0] * 2 + [1] * 9 + [2] * 4 + [3] * 5)
    queries = torch.arange(4).repeat(4000)
    scores = torch.randn(len(queries), 20, generator=torch.Generator().manual_seed(0))
    ranks = rank_queries(lambda start, stop: scores[start:stop], queries, groups)
    chance = retrieval_chance(ranks.positives, 20)
    for k, recall in chance.recall.items():
        assert float(ranks.hits(k).double().mean()) == pytest.approx(recall, abs=0.012)
    assert float(ranks.average_precision.mean()) == pytest.approx(
        chance.average_precision, abs=0.005
    )
    assert float(ranks.rank.double().mean()) == pytest.approx(chance.mean_rank, abs=0.06)
    assert float(ranks.reciprocal.mean()) == pytest.approx(chance.reciprocal_rank, abs=0.01)
    assert float(ranks.rank.median()) == chance.median_rank


def test_impossible_positives_are_refused():
    with pytest.raises(ValueError, match=r"1 \.\.\. 3"):
        retrieval_chance([4], 3)
    with pytest.raises(ValueError, match=r"1 \.\.\. 3"):
        retrieval_chance([0, 1], 3)


def test_classification_baselines():
    baselines = classification_baselines([0, 0, 0, 1, 2, 2], classes=4, ks=(1, 5))
    assert baselines.chance == {1: 0.25, 5: 1.0}
    assert baselines.majority == {1: 0.5, 5: 1.0}
