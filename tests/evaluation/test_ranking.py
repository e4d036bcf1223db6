"""Ranks by counting against naive sorting, torchmetrics and scikit-learn."""

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score
from torchmetrics.functional.retrieval import (
    retrieval_average_precision,
    retrieval_hit_rate,
    retrieval_reciprocal_rank,
)

from weft.evaluation import ranking
from weft.evaluation.ranking import (
    Ranks,
    averaged,
    dot_product,
    inner_products,
    rank_queries,
    standardised,
    top_k,
)


def fixed(scores):
    return lambda start, stop: scores[start:stop]


def naive(scores, query_groups, gallery_groups):
    """Sorts the whole gallery; among equal scores wrong items come first."""
    ranks, precisions = [], []
    for row, group in zip(scores, query_groups, strict=True):
        right = gallery_groups == group
        order = np.lexsort((right.numpy(), -row.numpy()))
        found = right.numpy()[order]
        places = np.flatnonzero(found) + 1
        ranks.append(places[0])
        precisions.append(np.mean(np.arange(1, len(places) + 1) / places))
    return np.array(ranks), np.array(precisions)


def random_case(queries, groups, seed, *, levels=None, spread=3):
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, spread + 1, (groups,), generator=generator)
    gallery_groups = torch.arange(groups).repeat_interleave(sizes) * 7 + 3
    gallery_groups = gallery_groups[torch.randperm(len(gallery_groups), generator=generator)]
    chosen = torch.randint(len(gallery_groups), (queries,), generator=generator)
    scores = torch.randn(queries, len(gallery_groups), generator=generator)
    if levels:
        scores = (scores * levels).round() / levels
    return scores, gallery_groups[chosen], gallery_groups


@settings(max_examples=80, deadline=None)
@given(
    queries=st.integers(1, 12),
    groups=st.integers(1, 9),
    seed=st.integers(0, 10_000),
    levels=st.sampled_from([None, 1, 2]),
    spread=st.sampled_from([1, 5, 30]),
    chunk=st.integers(1, 13),
)
def test_counting_equals_sorting(queries, groups, seed, levels, spread, chunk):
    case = random_case(queries, groups, seed, levels=levels, spread=spread)
    scores, query_groups, gallery_groups = case
    ranks = rank_queries(fixed(scores), query_groups, gallery_groups, chunk=chunk)
    expected_rank, expected_precision = naive(*case)
    assert ranks.rank.tolist() == expected_rank.tolist()
    np.testing.assert_allclose(ranks.average_precision, expected_precision, rtol=1e-12)
    assert ranks.positives.tolist() == [int((gallery_groups == g).sum()) for g in query_groups]


@pytest.mark.parametrize("spread", [4, 40])
def test_agrees_with_torchmetrics_and_scikit_learn(spread):
    scores, query_groups, gallery_groups = random_case(60, 25, seed=1, spread=spread)
    scores = scores.sigmoid()  # torchmetrics takes a score of zero or less for "not retrieved"
    right = query_groups[:, None] == gallery_groups
    ranks = rank_queries(fixed(scores), query_groups, gallery_groups)
    for q in range(len(scores)):
        for k in (1, 5, 10):
            expected = retrieval_hit_rate(scores[q], right[q], top_k=k)
            assert float(ranks.hits(k)[q]) == float(expected)
        torch.testing.assert_close(
            ranks.average_precision[q].float(), retrieval_average_precision(scores[q], right[q])
        )
        torch.testing.assert_close(
            ranks.reciprocal[q].float(), retrieval_reciprocal_rank(scores[q], right[q])
        )
    expected = label_ranking_average_precision_score(right.numpy(), scores.numpy())
    assert float(ranks.average_precision.mean()) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("positives", [1, 5, 20])
def test_a_collapsed_model_is_last(positives):
    groups = torch.arange(10).repeat_interleave(positives)
    constant = torch.ones(len(groups), 4)
    ranks = rank_queries(dot_product(constant, constant), groups, groups)
    assert (ranks.rank == len(groups) - positives + 1).all()


@pytest.mark.parametrize("positives", [2, 20])
def test_nan_counts_against_the_model(positives):
    groups = torch.arange(3).repeat_interleave(positives)
    broken = torch.full((3, len(groups)), float("nan"))
    ranks = rank_queries(fixed(broken), torch.arange(3), groups)
    assert (ranks.rank == 2 * positives + 1).all()
    scores = torch.zeros(3, len(groups))
    scores[torch.arange(3), torch.arange(3) * positives] = 1
    scores[0, -1] = float("nan")
    assert rank_queries(fixed(scores), torch.arange(3), groups).rank.tolist() == [2, 1, 1]


def test_embeddings_that_are_not_finite_are_refused():
    good, bad = torch.ones(2, 3), torch.tensor([[1.0, 2.0, float("inf")]])
    with pytest.raises(ValueError, match="gallery embeddings hold NaN or infinity"):
        dot_product(good, bad)


def test_a_query_without_a_right_item_is_refused():
    with pytest.raises(ValueError, match="1 of 2 queries have no right entry.*first: query 1"):
        rank_queries(fixed(torch.zeros(2, 2)), torch.tensor([0, 5]), torch.tensor([0, 1]))


def test_scores_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="similarity's scores"):
        rank_queries(fixed(torch.zeros(2, 3)), torch.tensor([0, 1]), torch.tensor([0, 1]))


def test_standardised_scores_have_unit_deviation():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(40, 6, generator=generator) * 3 + 1
    b = torch.randn(50, 6, generator=generator)
    queries, gallery = standardised(a, b)
    scores = queries @ gallery.T
    assert float(scores.std(unbiased=False)) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(scores / scores[0, 0], (a @ b.T) / (a @ b.T)[0, 0])


def test_averaged_embeddings_have_the_average_of_the_scores():
    generator = torch.Generator().manual_seed(0)
    pairs = [
        (torch.randn(9, e, generator=generator), torch.randn(7, e, generator=generator))
        for e in (3, 5)
    ]
    queries, gallery = averaged(pairs)
    torch.testing.assert_close(queries @ gallery.T, sum(a @ b.T for a, b in pairs) / 2)
    queries, gallery = averaged(pairs, [1.0, 0.0])
    torch.testing.assert_close(queries @ gallery.T, pairs[0][0] @ pairs[0][1].T)
    with pytest.raises(ValueError, match="at least one"):
        averaged([])


def test_top_k_is_the_head_of_the_sorted_gallery():
    scores = torch.randn(6, 20, generator=torch.Generator().manual_seed(0))
    values, positions = top_k(fixed(scores), [4, 1], 5)
    torch.testing.assert_close(values, scores[[4, 1]].sort(descending=True).values[:, :5])
    assert positions.tolist() == scores[[4, 1]].argsort(descending=True)[:, :5].tolist()


def test_counting_is_faster_than_sorting():
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(5000, 64, generator=generator)
    groups = torch.arange(5000)
    queries = gallery[:500] + torch.randn(500, 64, generator=generator)

    def by_sorting():
        order = (queries @ gallery.T).argsort(dim=1, descending=True)
        return torch.where(order == groups[:500, None])[1] + 1

    def by_counting():
        return rank_queries(dot_product(queries, gallery), groups[:500], groups).rank

    assert torch.equal(by_sorting(), by_counting())
    took = {}
    for name, way in (("sorting", by_sorting), ("counting", by_counting)):
        began = time.process_time()  # not of what else the machine does
        for _ in range(3):
            way()
        took[name] = time.process_time() - began
    assert took["counting"] < took["sorting"] / 3


def test_both_counting_methods_agree(monkeypatch):
    scores, query_groups, gallery_groups = random_case(50, 20, seed=3, levels=2, spread=8)
    few: Ranks = rank_queries(fixed(scores), query_groups, gallery_groups)
    monkeypatch.setattr(ranking, "FEW_POSITIVES", 0)
    many: Ranks = rank_queries(fixed(scores), query_groups, gallery_groups)
    assert torch.equal(few.rank, many.rank)
    assert torch.equal(few.average_precision, many.average_precision)


@pytest.mark.parametrize("width", [3, 64, 320, 1000])
def test_equal_items_score_equally_in_sets_of_any_size(width):
    generator = torch.Generator().manual_seed(width)
    query, item = (F.normalize(torch.randn(1, width, generator=generator)) for _ in range(2))
    alone = inner_products(query, item)
    for queries in (1, 5, 17, 130):
        for gallery in (1, 2, 17, 65, 257, 700):
            scores = inner_products(query.expand(queries, -1), item.expand(gallery, -1))
            assert scores.shape == (queries, gallery)
            assert (scores == alone).all()
    assert inner_products(query, item[:0]).shape == (1, 0)


def test_one_right_item_among_equal_wrong_ones_is_last():
    """All items are equal, so the right one has every other before it, wherever it stands."""
    generator = torch.Generator().manual_seed(0)
    query, item = (F.normalize(torch.randn(1, 320, generator=generator)) for _ in range(2))
    for gallery in (2, 33, 130):
        queries = query.expand(gallery, -1)
        scores = dot_product(queries, item.expand(gallery, -1).contiguous())
        places = torch.arange(gallery)
        assert (rank_queries(scores, places, places).rank == gallery).all()
