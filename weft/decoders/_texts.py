"""Generates texts token by token: the most probable token or a sampled one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.decoders._constraints import Constraints
from weft.decoders._ensemble import Ensemble
from weft.decoders.autoregressive import Part


@dataclass(frozen=True)
class Vocabulary:
    """The start and end tokens of a text, and the tokens allowed between them.

    allowed: (V,) or (B, V) bool, or None for all; the end is always allowed.
    """

    start: int
    end: int
    allowed: Tensor | None = None


@dataclass(frozen=True)
class Generated:
    """ids: of each text, without start and end. scores: (R,) log-probabilities; beam search divides them by the power
    of the length. log_probabilities: (R,) of the whole texts, including their ends."""

    ids: list[list[int]]
    scores: Tensor
    log_probabilities: Tensor


@dataclass(frozen=True)
class TextSettings:
    """Settings shared by all methods of generating texts.

    max_length: maximum tokens, including the end. min_length: minimum, without the end. no_repeat: no sequence of
    this many tokens may occur twice in a text; 0 allows all.
    """

    vocabulary: Vocabulary
    max_length: int
    min_length: int
    no_repeat: int

    def longest(self, source: Sequence[Part]) -> int:
        """The maximum tokens of a text that these decoders can generate."""
        return min([self.max_length, *(decoder.max_length for decoder, _ in source)])

    def constraints(self, texts: int) -> Constraints:
        """Returns the restrictions for `texts` texts of each context."""
        return Constraints(
            self.vocabulary.allowed,
            self.vocabulary.end,
            texts=texts,
            min_length=self.min_length,
            no_repeat=self.no_repeat,
        )


@dataclass(frozen=True)
class _Texts:
    """R texts so far. said: (R, T) including the start token. scores: (R,). ended: (R,) True after the end token."""

    ensemble: Ensemble
    constraints: Constraints
    longest: int
    said: Tensor
    scores: Tensor
    ended: Tensor
    done: bool = False


class OneByOne:
    """Extends every text by the token that `choose` selects from its (R, V) log-probabilities, until all end.

    choose: also receives the number of earlier tokens.
    """

    def __init__(
        self, settings: TextSettings, texts: int, choose: Callable[[Tensor, int], Tensor]
    ) -> None:
        self._settings = settings
        self._texts = texts
        self._choose = choose

    def start(self, source: Sequence[Part]) -> _Texts:
        longest = self._settings.longest(source)
        ensemble = Ensemble(source, self._texts, longest)
        rows, device = ensemble.rows, ensemble.device
        return _Texts(
            ensemble,
            self._settings.constraints(self._texts),
            longest,
            said=torch.full((rows, 1), self._settings.vocabulary.start, device=device),
            scores=torch.zeros(rows, device=device),
            ended=torch.zeros(rows, dtype=torch.bool, device=device),
        )

    def step(self, progress: _Texts) -> _Texts:
        said_RT, ended_R, end = progress.said, progress.ended, self._settings.vocabulary.end
        log_RV = progress.constraints(progress.ensemble.step(said_RT[:, -1]), said_RT)
        chosen_R = self._choose(log_RV, said_RT.shape[1] - 1)
        score_R = log_RV.gather(1, chosen_R[:, None])[:, 0]
        scores_R = torch.where(ended_R, progress.scores, progress.scores + score_R)
        chosen_R = chosen_R.masked_fill(ended_R, end)
        said_RT = torch.cat([said_RT, chosen_R[:, None]], dim=1)
        ended_R = ended_R | (chosen_R == end)
        done = said_RT.shape[1] > progress.longest or bool(ended_R.all())
        return replace(progress, said=said_RT, scores=scores_R, ended=ended_R, done=done)

    def finish(self, progress: _Texts) -> Generated:
        ids = until_end(progress.said[:, 1:], self._settings.vocabulary.end)
        return Generated(ids, progress.scores, progress.scores)


def until_end(ids_RT: Tensor, end: int) -> list[list[int]]:
    """Returns the tokens of each row before its first end token."""
    return [row[: row.index(end)] if end in row else row for row in ids_RT.tolist()]
