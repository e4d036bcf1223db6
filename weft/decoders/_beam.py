"""Beam search, all contexts of a batch at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from weft.decoders._constraints import Constraints
from weft.decoders._ensemble import Ensemble


@dataclass
class _Ended:
    """The best texts that have ended: (B, k) scores, -inf where there is none yet, and (B, k, T) ids."""

    scores: Tensor
    ids: Tensor

    def add(self, scores_BM: Tensor, ids_BMT: Tensor) -> None:
        """Keeps the best k of these and its own."""
        scores = torch.cat([self.scores, scores_BM], dim=1)
        ids = torch.cat([self.ids, ids_BMT], dim=1)
        self.scores, best_BK = scores.topk(self.scores.shape[1], dim=1)
        self.ids = ids.gather(1, best_BK[..., None].expand(-1, -1, ids.shape[2]))

    @property
    def full(self) -> Tensor:
        """(B,) True where k texts have ended."""
        return self.scores[:, -1] > -torch.inf


def beam_search(
    ensemble: Ensemble,
    constraints: Constraints,
    *,
    start: int,
    end: int,
    beams: int,
    longest: int,
    exponent: float,
) -> tuple[Tensor, Tensor]:
    """(B, longest) ids that end with `end`, and (B,) scores: log-probability / length ** exponent.

    A text's length counts its end. `beams` texts are followed; one that ends among the best so many
    is put aside, and when as many have ended the search of this context ends. Texts that have not
    ended after `longest` tokens compete as they are.
    """
    contexts, device = ensemble.contexts, ensemble.device
    first_B1 = torch.arange(contexts, device=device)[:, None] * beams
    said_RT = torch.full((contexts * beams, 1), start, device=device)
    # All texts are equal at first, so that one of them stands for all.
    scores_BK = torch.full((contexts, beams), -torch.inf, device=device)
    scores_BK[:, 0] = 0.0
    ended = _Ended(
        torch.full((contexts, beams), -torch.inf, device=device),
        torch.full((contexts, beams, longest), end, device=device),
    )
    closed_B = torch.zeros(contexts, dtype=torch.bool, device=device)
    for length in range(1, longest + 1):
        log_RV = constraints(ensemble.step(said_RT[:, -1]), said_RT)
        vocabulary = log_RV.shape[1]
        totals = scores_BK[..., None] + log_RV.view(contexts, beams, vocabulary)
        # Of twice as many candidates at least `beams` do not end.
        best_BM, places_BM = totals.flatten(1).topk(min(2 * beams, beams * vocabulary), dim=1)
        parents_BM, tokens_BM = first_B1 + places_BM // vocabulary, places_BM % vocabulary
        ends_BM = tokens_BM == end
        among_BM = ends_BM & ~closed_B[:, None]
        among_BM[:, beams:] = False
        ended.add(
            (best_BM / length**exponent).masked_fill(~among_BM, -torch.inf),
            _padded(said_RT[parents_BM.flatten(), 1:], longest, end).view(*parents_BM.shape, -1),
        )
        closed_B = ended.full
        if bool(closed_B.all()):
            break
        scores_BK, kept_BK = best_BM.masked_fill(ends_BM, -torch.inf).topk(beams, dim=1)
        rows_R = parents_BM.gather(1, kept_BK).flatten()
        said_RT = torch.cat([said_RT[rows_R], tokens_BM.gather(1, kept_BK).view(-1, 1)], dim=1)
        if length < longest:
            ensemble.take(rows_R)
    unended_BK = (scores_BK / longest**exponent).masked_fill(closed_B[:, None], -torch.inf)
    ended.add(unended_BK, _padded(said_RT[:, 1:], longest, end).view(contexts, beams, -1))
    return ended.ids[:, 0], ended.scores[:, 0]


def _padded(ids_RT: Tensor, length: int, value: int) -> Tensor:
    missing = max(0, length - ids_RT.shape[1])
    return torch.nn.functional.pad(ids_RT, (0, missing), value=value)
