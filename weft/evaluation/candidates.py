"""Ranks of candidates with a single right one, and their ordering by relevance.

These are the metrics of Visual Dialog (Das et al. 2017, arXiv:1611.08669, section 5; NDCG as in its challenge).
"""

import torch
from torch import Tensor


def rank_of_right(scores_C: Tensor, right: int) -> int:
    """Returns the rank of the right candidate, 1 for the best. Candidates with the same score rank before it."""
    return int((scores_C >= scores_C[right]).sum())


def ndcg(scores_C: Tensor, relevance_C: Tensor) -> float:
    """Returns NDCG over the first K candidates, K being the number of relevant ones; 0 if there is none.

    A candidate gains its relevance divided by log2(1 + its rank). The sum is divided by the best possible sum. Among
    equal scores, less relevant candidates come first.
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
    """recall@k, reciprocal rank and rank of a random order of this many candidates."""
    ranks = torch.arange(1, candidates + 1, dtype=torch.float64)
    return min(k / candidates, 1.0), float((1 / ranks).mean()), float(ranks.mean())


def chance_ndcg(relevance_C: Tensor) -> float:
    """NDCG of a random order: each position gains the mean relevance; 0 if no candidate is relevant."""
    relevant = int((relevance_C > 0).sum())
    if relevant == 0:
        return 0.0
    best_K = relevance_C.double().sort(descending=True).values[:relevant]
    discount_K = torch.arange(2, relevant + 2, dtype=torch.float64).log2()
    gained = relevance_C.double().mean() * (1 / discount_K).sum()
    return float(gained / (best_K / discount_K).sum())
