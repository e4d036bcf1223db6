"""Beam search for all contexts of a batch at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.decoders._constraints import Constraints
from weft.decoders._ensemble import Ensemble
from weft.decoders._texts import Generated, TextSettings, until_end
from weft.decoders.autoregressive import Part


@dataclass
class _Ended:
    """The best finished texts: (B, k) scores, -inf for empty places, and (B, k, T) ids."""

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
        """(B,) True if k texts have finished."""
        return self.scores[:, -1] > -torch.inf


@dataclass(frozen=True)
class _Beams:
    """The k current texts of each of B contexts, and the finished ones.

    said: (B k, T) including the start token. scores: (B, k). closed: (B,) contexts whose search has ended.
    """

    ensemble: Ensemble
    constraints: Constraints
    said: Tensor
    scores: Tensor
    ended: _Ended
    closed: Tensor
    done: bool = False


class BeamSearch:
    """Searches for the most probable text by log-probability / length ** exponent.

    The length of a text includes its end token. `beams` texts are extended in parallel. A text that ends among the
    best `beams` candidates is set aside as finished. The search of a context ends when `beams` texts have finished.
    Texts that have not ended after `longest` tokens compete as they are.
    """

    def __init__(self, settings: TextSettings, beams: int, exponent: float) -> None:
        self._settings = settings
        self._beams = beams
        self._exponent = exponent

    def start(self, source: Sequence[Part]) -> _Beams:
        beams, vocabulary = self._beams, self._settings.vocabulary
        longest = self._settings.longest(source)
        ensemble = Ensemble(source, beams, longest)
        contexts, device = ensemble.contexts, ensemble.device
        # All texts are equal at first, so only one of them may be extended.
        scores_BK = torch.full((contexts, beams), -torch.inf, device=device)
        scores_BK[:, 0] = 0.0
        ended = _Ended(
            torch.full((contexts, beams), -torch.inf, device=device),
            torch.full((contexts, beams, longest), vocabulary.end, device=device),
        )
        said_RT = torch.full((contexts * beams, 1), vocabulary.start, device=device)
        closed_B = torch.zeros(contexts, dtype=torch.bool, device=device)
        constraints = self._settings.constraints(beams)
        return _Beams(ensemble, constraints, said_RT, scores_BK, ended, closed_B)

    def step(self, progress: _Beams) -> _Beams:
        ensemble, said_RT, beams = progress.ensemble, progress.said, self._beams
        contexts, end = ensemble.contexts, self._settings.vocabulary.end
        ended, closed_B = progress.ended, progress.closed
        length, longest = said_RT.shape[1], ended.ids.shape[2]
        log_RV = progress.constraints(ensemble.step(said_RT[:, -1]), said_RT)
        vocabulary = log_RV.shape[1]
        totals = progress.scores[..., None] + log_RV.view(contexts, beams, vocabulary)
        # Of twice as many candidates, at least `beams` do not end.
        best_BM, places_BM = totals.flatten(1).topk(min(2 * beams, beams * vocabulary), dim=1)
        first_B1 = torch.arange(contexts, device=ensemble.device)[:, None] * beams
        parents_BM, tokens_BM = first_B1 + places_BM // vocabulary, places_BM % vocabulary
        ends_BM = tokens_BM == end
        among_BM = ends_BM & ~closed_B[:, None]
        among_BM[:, beams:] = False
        ended.add(
            (best_BM / length**self._exponent).masked_fill(~among_BM, -torch.inf),
            _padded(said_RT[parents_BM.flatten(), 1:], longest, end).view(*parents_BM.shape, -1),
        )
        closed_B = ended.full
        if bool(closed_B.all()):
            return replace(progress, closed=closed_B, done=True)
        scores_BK, kept_BK = best_BM.masked_fill(ends_BM, -torch.inf).topk(beams, dim=1)
        rows_R = parents_BM.gather(1, kept_BK).flatten()
        said_RT = torch.cat([said_RT[rows_R], tokens_BM.gather(1, kept_BK).view(-1, 1)], dim=1)
        if length < longest:
            ensemble.take(rows_R)
        return replace(
            progress, said=said_RT, scores=scores_BK, closed=closed_B, done=length == longest
        )

    def finish(self, progress: _Beams) -> Generated:
        ended, end = progress.ended, self._settings.vocabulary.end
        longest = ended.ids.shape[2]
        unended_BK = (progress.scores / longest**self._exponent).masked_fill(
            progress.closed[:, None], -torch.inf
        )
        ids_BKT = _padded(progress.said[:, 1:], longest, end).view(len(ended.ids), self._beams, -1)
        ended.add(unended_BK, ids_BKT)
        ids, scores_B = until_end(ended.ids[:, 0], end), ended.scores[:, 0]
        lengths_B = scores_B.new_tensor([min(len(text) + 1, longest) for text in ids])
        return Generated(ids, scores_B, scores_B * lengths_B**self._exponent)


def _padded(ids_RT: Tensor, length: int, value: int) -> Tensor:
    missing = max(0, length - ids_RT.shape[1])
    return torch.nn.functional.pad(ids_RT, (0, missing), value=value)
