"""Ranks of a few candidates with one right one, and how well they are ordered by relevance.

As Visual Dialog is measured (Das et al. 2017, arXiv:1611.08669, section 5; NDCG as in its challenge).
"""

import torch
from torch import Tensor


def rank_of_right(scores_C: Tensor, right: int) -> int:
    """1 for the best; candidates that score the same as the right one stand before it."""
    return int((scores_C >= scores_C[right]).sum())


def ndcg(scores_C: Tensor, relevance_C: Tensor) -> float:
    """Of the first K, K being the number of candidates that are relevant at all; 0 where none is.

    The gain of a candidate is its relevance, divided by log2(1 + its rank), and the sum by the best
    possible one. Among equal scores the less relevant stand first.
    """
    relevant = int((relevance_C > 0).sum())
    if relevant == 0:
        return 0.0
    best_C = relevance_C.double().sort(descending=True).values
    by_relevance = relevance_C.double().argsort(stable=True)
    order = by_relevance[scores_C[by_relevance].argsort(descending=True, stable=True)]
    discount_K = torch.arange(2, relevant + 2, dtype=torch.float64).log2()
    gained = (relevance_C.double()[order][:relevant] / discount_K).sum()
    return float(gained / (best_C[:relevant] / discount_K).sum())


def chance(candidates: int, k: int) -> tuple[float, float, float]:
    """recall@k, reciprocal rank and rank of a random order of so many candidates."""
    ranks = torch.arange(1, candidates + 1, dtype=torch.float64)
    return min(k / candidates, 1.0), float((1 / ranks).mean()), float(ranks.mean())


def chance_ndcg(relevance_C: Tensor) -> float:
    """NDCG of a random order: each place gains the mean relevance; 0 where no candidate is relevant."""
    relevant = int((relevance_C > 0).sum())
    if relevant == 0:
        return 0.0
    best_K = relevance_C.double().sort(descending=True).values[:relevant]
    discount_K = torch.arange(2, relevant + 2, dtype=torch.float64).log2()
    gained = relevance_C.double().mean() * (1 / discount_K).sum()
    return float(gained / (best_K / discount_K).sum())
