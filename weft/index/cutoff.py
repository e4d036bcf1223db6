"""The cut-off of a query's hits: a score that nonsense seldom reaches, and real queries usually do.

The best cosine alone does not separate nonsense from real queries: some strings of letters are as near to a picture
as an unusual caption. Nonsense, however, is far from all known queries. So the cut-off of a query is lower the
nearer it is to known queries: beside the cosine, it uses the distance to the nearest neighbours, as in
out-of-distribution detection (Sun et al. 2022, arXiv:2204.06507).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.shapes import check_shape

NEIGHBOURS = 5
"""Number of known queries whose mean cosine measures the familiarity of a query."""
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Candidates for the weight of the familiarity beside a hit's cosine; the one that refuses the fewest real queries
is used.
"""
ANSWERED = 0.03
"""Share of the nonsense that is still answered."""
REFUSED = 0.1
"""Maximum share of refused real queries; a cut-off above it separates nothing, so none is set."""


@dataclass(frozen=True)
class Cutoff:
    """A cosine is a hit if it is at least `threshold - weight * familiarity of the query`.

    known: (N, E) embeddings of known queries, of unit length; if there are none, every query has the familiarity 0.
    """

    threshold: float
    weight: float
    known: Tensor

    def of(self, queries_QE: Tensor) -> Tensor:
        """(Q,) the minimum cosine of a hit for each query; queries of unit length."""
        return self.threshold - self.weight * familiarity(queries_QE, self.known)


@dataclass(frozen=True)
class Calibrated:
    """cutoff: None if it would refuse too many. answered: share of the nonsense. refused: share of the real
    queries.
    """

    cutoff: Cutoff | None
    answered: float
    refused: float


def familiarity(queries_QE: Tensor, known_NE: Tensor) -> Tensor:
    """(Q,) the mean cosine of each query to the nearest known queries; 0 if none are known."""
    if not len(known_NE):
        return queries_QE.new_zeros(len(queries_QE))
    found: Tensor = (queries_QE @ known_NE.T).topk(min(NEIGHBOURS, len(known_NE))).values.mean(1)
    return found


def calibrated(
    nonsense_NE: Tensor,
    real_ME: Tensor,
    known_KE: Tensor,
    best_N: Tensor,
    best_M: Tensor,
    most: float = REFUSED,
) -> Calibrated:
    """The cut-off that answers the share `ANSWERED` of the nonsense and refuses the fewest real queries.

    nonsense_NE, real_ME: queries that are not among the known ones. known_KE: see `Cutoff`. best_N, best_M: the
    cosine of each query's best hit. All of unit length. most: maximum share of the real queries that it may refuse.
    """
    check_shape(best_N, "N", "best hits of nonsense", N=len(nonsense_NE))
    check_shape(best_M, "M", "best hits of real queries", M=len(real_ME))
    of_nonsense = familiarity(nonsense_NE, known_KE)
    of_real = familiarity(real_ME, known_KE)
    tried = []
    for weight in WEIGHTS if len(known_KE) else (0.0,):
        strengths_N, strengths_M = best_N + weight * of_nonsense, best_M + weight * of_real
        # Just above: of few queries a quantile may be the strength of one.
        threshold = float(torch.nextafter(strengths_N.quantile(1 - ANSWERED), torch.tensor(9.0)))
        refused = float((strengths_M < threshold).double().mean())
        answered = float((strengths_N >= threshold).double().mean())
        tried.append(Calibrated(Cutoff(threshold, weight, known_KE), answered, refused))
    best = min(tried, key=lambda one: one.refused)
    if best.refused > most:
        return Calibrated(None, best.answered, best.refused)
    return best
