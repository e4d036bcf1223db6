"""Retrieval in two stages: a dual encoder finds candidates, a matching head ranks them again.

Li et al. 2021 (ALBEF, arXiv:2107.07651, section 5) and 2022 (BLIP, arXiv:2201.12086, section 5.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE, at_least, require
from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.comparison import Comparison, compare
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, Score, by_name
from weft.evaluation.ranking import Similarity, rank_queries
from weft.heads.classes import ClassOutput
from weft.inference.config import InferenceConfig
from weft.inference.encoded import evaluating_all, pair_log_odds
from weft.inference.member import Member
from weft.inference.results import TaskResult
from weft.tasks._gallery import Gallery
from weft.tasks.base import Task
from weft.tasks.retrieval import RetrievalConfig, Search

ABOVE_COSINES = 2.0
"""Added to the scores of candidates, so that no other entry, whose score is a mean of cosines, comes near."""


def gain_at(k: int) -> Metric:
    """The increase of recall@k, in percent of the queries."""
    return Metric(f"recall@{k}_gain")


@dataclass(frozen=True)
class RerankingConfig(Config[Task]):
    """Retrieval in two stages: a matching head ranks the best candidates again."""

    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    """How candidates are found, and what is measured."""
    head: str = "matching"
    """Head of the model that makes two logits of a fused pair."""
    candidates: int = 16
    """Number of each query's best entries that are re-ranked."""
    weight: float = 0.05
    """Weight of the match's log-odds that are added to the similarity, a cosine. Divided by the temperature of
    the contrastive loss, cosines are log-odds too."""
    pairs: int = 256
    """Pairs that are fused at once."""

    def __post_init__(self) -> None:
        require(self, candidates=at_least(2), pairs=COUNT, weight=POSITIVE)
        if self.retrieval.standardise:
            raise ValueError("retrieval.standardise is True, expected False: cosines are weighted")
        if self.retrieval.by_group:
            raise ValueError(
                "retrieval.by_group is True, expected False: pairs of entries are fused"
            )

    @property
    def inference(self) -> InferenceConfig:
        """How the models are run."""
        return self.retrieval.inference

    @property
    def embedded(self) -> tuple[str, ...]:
        """The streams whose embeddings are compared."""
        return self.retrieval.searched

    @property
    def needs(self) -> Needs:
        return replace(self.retrieval.needs, heads={self.head: ClassOutput}, fusion=True)

    def build(self) -> "Reranking":
        return Reranking(self)


class Reranking:
    """The metrics of `retrieval` after the candidates were ranked again, and the gain from it.

    A candidate's score is its similarity plus the weighted log-odds of the match. The other entries stay behind the
    candidates, in their order. If there are several models, those without the head find the candidates, and those
    with it rank them; a single model does both.
    """

    name = "reranking"

    def __init__(self, config: RerankingConfig) -> None:
        self.config = config

    @property
    def metrics(self) -> tuple[Metric, ...]:
        retrieval = self.config.retrieval
        gains = [gain_at(k) for k in retrieval.ks]
        by_way = [gain.of(way) for way in retrieval.ways for gain in gains]
        return (*retrieval.build().metrics, *by_way, *gains)

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Every entry is read and encoded once, and every pair of any query is fused once."""
        matchers = [m for m in members if self.config.head in m.model.heads]
        if not matchers:
            known = sorted({name for member in members for name in member.model.heads})
            raise WeftError(
                f"no model has the head '{self.config.head}' that ranks again, "
                f"they have: {', '.join(known) or 'none'}"
            )
        finders = [m for m in members if self.config.head not in m.model.heads] or matchers
        retrieval = self.config.retrieval.build()
        found = retrieval.search(finders, dataset, device, matchers=matchers)
        again = self._ranked_again(found, matchers, device)
        gains = self._gains(found, again)
        before, result = retrieval.result(found), retrieval.result(again, leakage)
        return replace(
            result,
            task=self.name,
            protocol={**result.protocol, **self._protocol(finders, matchers, gains)},
            metrics={
                **result.metrics,
                **by_name(metric.score(gain.difference) for metric, gain in gains.items()),
                **by_name(self._both(found, again)),
            },
            baselines={
                **result.baselines,
                "dual encoder": {name: one.value for name, one in before.metrics.items()},
            },
        )

    def _ranked_again(
        self, found: Search, matchers: Sequence[Member], device: torch.device | str
    ) -> Search:
        """The search with the candidates of each query in the order of their new scores."""
        candidates = {
            way: _candidates(
                found.similarities[way], len(queries), len(gallery), self.config.candidates
            )
            for way, (queries, gallery) in found.ways.items()
        }
        matches = self._matches(matchers, found, candidates, device)
        similarities = {
            way: self._reranked(found.similarities[way], candidates[way], matches[way])
            for way in found.ways
        }
        ranks = {
            way: rank_queries(similarities[way], queries.matches, gallery.matches)
            for way, (queries, gallery) in found.ways.items()
        }
        return replace(found, similarities=similarities, ranks=ranks)

    def _protocol(
        self,
        finders: Sequence[Member],
        matchers: Sequence[Member],
        gains: Mapping[Metric, Comparison],
    ) -> dict[str, Any]:
        first = gain_at(min(self.config.retrieval.ks))
        ways = {first.of(way) for way in self.config.retrieval.ways}
        chances = {f"{m.name}, p": c.p_value for m, c in gains.items() if m in ways}
        return {
            "models": f"{len(finders)} to find, {len(matchers)} to rank again",
            "candidates": self.config.candidates,
            "weight": self.config.weight,
            **chances,
        }

    def _gains(self, found: Search, again: Search) -> dict[Metric, Comparison]:
        """Recall after minus before, on the same queries and resamples."""
        settings = self.config.retrieval
        return {
            gain_at(k).of(way): compare(
                found.ranks[way].hits(k),
                again.ranks[way].hits(k),
                queries.groups,
                resamples=settings.resamples,
                seed=settings.seed,
            )
            for way, (queries, _) in found.ways.items()
            for k in settings.ks
        }

    def _both(self, found: Search, again: Search) -> list[Score]:
        """The gains, a mean over both ways; each resample is of the same groups in both."""
        settings = self.config.retrieval
        groups = {way: queries.groups for way, (queries, _) in found.ways.items()}
        bootstrap = Bootstrap(
            torch.cat(list(groups.values())), resamples=settings.resamples, seed=settings.seed
        )
        gains: list[Score] = []
        for k in settings.ks:
            one, other = (
                bootstrap.mean(again.ranks[way].hits(k).int() - found.ranks[way].hits(k).int(), of)
                for way, of in groups.items()
            )
            gains.append(gain_at(k).score(((one + other) * 0.5).estimate()))
        return gains

    def _matches(
        self,
        matchers: Sequence[Member],
        found: Search,
        candidates: Mapping[str, Tensor],
        device: torch.device | str,
    ) -> dict[str, Tensor]:
        """Direction -> (Q, k) log-odds that query and candidate belong together, the mean over the models."""
        (forward, (first, second)), (backward, _) = found.ways.items()
        forward_QK, backward_QK = candidates[forward], candidates[backward]
        # Both ways ask for pairs (first, second), often for the same ones.
        asked = torch.cat(
            [
                torch.arange(len(first)).repeat_interleave(forward_QK.shape[1]) * len(second)
                + forward_QK.flatten(),
                backward_QK.flatten() * len(second)
                + torch.arange(len(second)).repeat_interleave(backward_QK.shape[1]),
            ]
        )
        pairs, places = torch.unique(asked, return_inverse=True)
        scores_P = torch.zeros(len(pairs))
        with evaluating_all(matchers, self.config.retrieval.inference, device):
            for number, member in enumerate(matchers):
                scores_P += self._match(
                    member, first, second, number, pairs // len(second), pairs % len(second), device
                )
        answers = (scores_P / len(matchers))[places]
        return {
            forward: answers[: forward_QK.numel()].view_as(forward_QK),
            backward: answers[forward_QK.numel() :].view_as(backward_QK),
        }

    def _match(
        self,
        member: Member,
        first: Gallery,
        second: Gallery,
        number: int,
        first_P: Tensor,
        second_P: Tensor,
        device: torch.device | str,
    ) -> Tensor:
        """(P,) log-odds of pairs by the matcher of that number; the mean over the first's views."""
        one, other = first.kept[number], second.kept[number]
        names = self.config.retrieval.first, self.config.retrieval.second
        views = [torch.tensor(one.rows(entry)) for entry in first.entries]
        plain_N = torch.tensor([other.rows(entry)[0] for entry in second.entries])
        rows = [views[place] for place in first_P.tolist()]
        count_P = torch.tensor([len(of_pair) for of_pair in rows])
        pair_V = torch.arange(len(rows)).repeat_interleave(count_P)
        odds_V = pair_log_odds(
            member.model,
            self.config.head,
            dict(zip(names, (one.features, other.features), strict=True)),
            dict(zip(names, (torch.cat(rows), plain_N[second_P][pair_V]), strict=True)),
            self.config.pairs,
            device,
        )
        return torch.zeros(len(rows)).index_add_(0, pair_V, odds_V) / count_P

    def _reranked(
        self, similarity: Similarity, candidates_QK: Tensor, odds_QK: Tensor
    ) -> Similarity:
        """The similarity with the candidates above all others, ordered by the new score."""

        def scores(start: int, stop: int) -> Tensor:
            scores_CG = similarity(start, stop).clone()
            places_CK = candidates_QK[start:stop].to(scores_CG.device)
            odds_CK = odds_QK[start:stop].to(scores_CG)
            new_CK = scores_CG.gather(1, places_CK) + self.config.weight * odds_CK
            lifted_CK = new_CK - new_CK.amin(dim=1, keepdim=True) + ABOVE_COSINES
            return scores_CG.scatter_(1, places_CK, lifted_CK)

        return scores


def _candidates(similarity: Similarity, queries: int, gallery: int, number: int) -> Tensor:
    """(Q, k) places of each query's best entries."""
    size = 1024
    parts = [
        similarity(start, min(start + size, queries))
        .topk(min(number, gallery), dim=1)
        .indices.cpu()
        for start in range(0, queries, size)
    ]
    return torch.cat(parts)
