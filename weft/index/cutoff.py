"""Where the hits of a query end: a cut-off that nonsense seldom reaches, and real queries do.

The best cosine alone does not tell nonsense from sense: some strings of letters lie as near to a picture as an unusual
caption does. Nonsense lies far from all that was ever asked, though. So the cut-off of a query falls the nearer it is to
known queries, which is the distance to the nearest neighbours of out-of-distribution detection (Sun et al. 2022,
arXiv:2204.06507), beside the cosine.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.shapes import check_shape

NEIGHBOURS = 5
"""Known queries whose mean cosine says how known a query is."""
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""How much that counts beside a hit's cosine; the one is taken by which the fewest real queries are refused."""
ANSWERED = 0.03
"""Share of the nonsense that is answered nevertheless."""
REFUSED = 0.1
"""A cut-off that refuses more of the real queries tells nothing apart, so none is set."""


@dataclass(frozen=True)
class Cutoff:
    """Cosines that are hits: at least `threshold - weight * familiarity of the query`.

    known: (N, E) embeddings of known queries, of unit length; of none of them every query has the familiarity 0.
    """

    threshold: float
    weight: float
    known: Tensor

    def of(self, queries_QE: Tensor) -> Tensor:
        """(Q,) the cosine from which on something is a hit of that query, of unit length."""
        return self.threshold - self.weight * familiarity(queries_QE, self.known)


@dataclass(frozen=True)
class Calibrated:
    """cutoff: None where it would refuse too many. answered: share of the nonsense. refused: of the real queries."""

    cutoff: Cutoff | None
    answered: float
    refused: float


def familiarity(queries_QE: Tensor, known_NE: Tensor) -> Tensor:
    """(Q,) the mean cosine of each query with the nearest of the known ones; 0 where none are known."""
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
    """The cut-off that answers `ANSWERED` of the nonsense and refuses the fewest of the real queries.

    nonsense_NE, real_ME: queries that are not among the known ones. known_KE: see `Cutoff`. best_N, best_M: the cosine
    of each one's best hit. All of unit length. most: share of the real queries that it may refuse.
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
