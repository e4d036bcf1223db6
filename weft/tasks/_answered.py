"""The answers in dialogs, and their metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from weft.core.text import normalised
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.candidates import ndcg, rank_of_right
from weft.evaluation.metric import PERCENT, Metric, Score, by_name
from weft.inference.candidates import OWN, Scored
from weft.tasks._accuracy import ACCURACY
from weft.tasks._candidates import Asked
from weft.tasks._kinds import Kinds
from weft.tasks._ranks import MEAN_RANK, MRR, recall_at

NDCG = Metric("ndcg", row_mean=True)


@dataclass(frozen=True)
class Answered:
    """N rows with their questions, the results, and their kinds."""

    ks: tuple[int, ...]
    found: Scored
    asked: Sequence[Asked]
    kinds: Sequence[Kinds]

    @cached_property
    def groups(self) -> Tensor:
        return torch.cat(self.found.groups)

    @property
    def accuracy(self) -> Metric:
        """The metric that is given by kind of row: accuracy for generated answers, otherwise how often the best
        candidate is right.
        """
        return ACCURACY if OWN in self.found.said else recall_at(min(self.ks))

    @cached_property
    def values(self) -> dict[Metric, Tensor]:
        """Metric -> its raw value for each row (N,); NDCG is NaN if a row has no relevances."""
        return self.of(self.found.scores[OWN], self.found.said.get(OWN))

    def of(self, scored: Sequence[Tensor], said: Sequence[str] | None) -> dict[Metric, Tensor]:
        """The same rows with other scores of the candidates and other texts."""
        pairs = list(zip(scored, self.asked, strict=True))
        ranks = torch.tensor([rank_of(s, one) for s, one in pairs]).double()
        found = {recall_at(k): (ranks <= k).double() for k in self.ks}
        found |= {MRR: 1 / ranks, MEAN_RANK: ranks}
        gains = [
            float("nan") if one.relevance is None else ndcg(s, one.relevance) for s, one in pairs
        ]
        if any(one.relevance is not None for one in self.asked):
            found[NDCG] = torch.tensor(gains, dtype=torch.float64)
        if said is not None:
            same = [_same(a, one.answer) for a, one in zip(said, self.asked, strict=True)]
            found[ACCURACY] = torch.tensor(same).double()
        return found

    def scores(self, bootstrap: Bootstrap) -> dict[str, Score]:
        """The metrics with their intervals; the accuracy also by kind of row."""
        found = []
        for metric, of_rows in self.values.items():
            there = ~of_rows.isnan()
            of, within = of_rows[there], self.groups[there]
            if metric.unit == PERCENT:
                found.append(metric.score(bootstrap.proportion(of, within)))
            else:
                found.append(metric.score(bootstrap.mean(of, within).estimate()))
        shares = self.values[self.accuracy]
        for kinds in self.kinds:
            found += kinds.scores(self.accuracy, shares, self.groups, bootstrap)
        return by_name(found)

    def means(self, values: Mapping[Metric, Tensor]) -> dict[str, float]:
        """Name of the metric -> its mean, over all rows and by kind."""
        found = {m.name: m.scale * float(v[~v.isnan()].mean()) for m, v in values.items()}
        for kinds in self.kinds if self.accuracy in values else ():
            found |= kinds.means(self.accuracy, values[self.accuracy])
        return found


def rank_of(scores: Tensor, asked: Asked) -> int:
    """The rank of the right candidate; behind all candidates if it is not one of them."""
    return len(scores) + 1 if asked.right is None else rank_of_right(scores, asked.right)


def _same(said: str, answer: str) -> bool:
    return normalised(said).lower() == normalised(answer).lower()
