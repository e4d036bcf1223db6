"""Retrieval between two streams, or all pairs of several, in both directions: the rank of the right entry."""

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, ClassVar

import torch
from torch import Tensor

from weft.core.needs import Needs
from weft.core.text import plural_of
from weft.data.formats import Dataset
from weft.evaluation.baselines import retrieval_chance
from weft.evaluation.bootstrap import Statistic
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import PERCENT, RANK, Metric, Score, by_name
from weft.evaluation.ranking import (
    Ranks,
    Similarity,
    averaged,
    dot_product,
    right_and_wrong,
    standardised,
    top_k,
    worst_first,
)
from weft.evaluation.ranking_both_ways import rank_both_ways
from weft.inference.entries import list_entries
from weft.inference.member import Member, check_members
from weft.inference.results import Answer, Example, Queries, TaskResult, Values
from weft.tasks._gallery import Gallery, both_readable, by_group, embedded
from weft.tasks._ranks import MEAN_RANK, MRR, recall_at
from weft.tasks.base import WORST, TaskConfig, check_measures

EXAMPLE_ANSWERS = 5

MEDIAN_RANK = Metric("median_rank", RANK, "lower")
MAP = Metric("mAP", row_mean=True)
RSUM = Metric("rsum", "sum of %", headline=True, said="sum of recalls")


@dataclass(frozen=True)
class RetrievalConfig(TaskConfig):
    """Search in both directions, such as pictures by text and texts by picture, or between all pairs of several streams.

    streams: with two or more names, every pair of them is searched both ways, in place of first and second; what
    each stream has is embedded once. by_group: all entries of a group are one, whose embedding is the mean of theirs:
    the clips of a video, found by the sentences of its paragraph (video-paragraph retrieval). ks: recall is measured among the first k. standardise: in an ensemble, divide each model's
    scores by their standard deviation before they are averaged. examples: queries a direction that are
    kept to be shown, half of them found at rank 1, half not.
    """

    renamed_settings: ClassVar[Mapping[str, str]] = {"embedding": "inference"}

    first: str = "image"
    second: str = "text"
    ks: tuple[int, ...] = (1, 5, 10)
    standardise: bool = False
    streams: tuple[str, ...] = field(default=(), kw_only=True)
    by_group: bool = field(default=False, kw_only=True)
    examples: int = field(default=8, kw_only=True)

    def __post_init__(self) -> None:
        check_measures(self)
        if self.streams and len(set(self.streams)) != max(len(self.streams), 2):
            raise ValueError(f"streams are {self.streams}, expected two or more different ones")

    @property
    def searched(self) -> tuple[str, ...]:
        """The streams that are embedded."""
        return self.streams or (self.first, self.second)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of streams that are searched both ways."""
        return tuple(combinations(self.searched, 2))

    @property
    def needs(self) -> Needs:
        together = self.searched if len(self.searched) == 2 else ()
        return Needs(embeddings=self.searched, together=together)

    @property
    def embedded(self) -> tuple[str, ...]:
        return self.searched

    @property
    def ways(self) -> tuple[str, ...]:
        """The names of all directions."""
        return tuple(name for pair in self.pairs for name in ways_of(pair))

    def build(self) -> "Retrieval":
        return Retrieval(self)


def ways_of(pair: tuple[str, str]) -> tuple[str, str]:
    """The names of both directions."""
    first, second = pair
    return f"{first}_to_{second}", f"{second}_to_{first}"


@dataclass(frozen=True)
class Search:
    """All directions of a search: direction -> (queries, gallery), their similarity, and the queries' ranks."""

    ways: Mapping[str, tuple[Gallery, Gallery]]
    similarities: Mapping[str, Similarity]
    ranks: Mapping[str, Ranks]
    protocol: Mapping[str, Any]


class Retrieval:
    """recall@k, median and mean rank, mAP and MRR of each direction, and the sum of all recalls.

    An entry is right if it matches the query: by default, if it has the same group. A stream whose row holds a list
    (five captions) gives one entry for each; for any other row all views are averaged into one entry, and matching
    rows with identical content (pairs that repeat their image) are one entry. With `by_group` a group has one entry
    per stream, displayed as its first one.
    """

    name = "retrieval"

    def __init__(self, config: RetrievalConfig) -> None:
        self.config = config

    @property
    def metrics(self) -> tuple[Metric, ...]:
        of_a_way = (*map(recall_at, self.config.ks), MEDIAN_RANK, MEAN_RANK, MAP, MRR)
        return (*(metric.of(way) for way in self.config.ways for metric in of_a_way), RSUM)

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the average of their similarities."""
        return self.result(self.search(members, dataset, device), leakage)

    def search(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        device: torch.device | str = "cpu",
        *,
        matchers: Sequence[Member] = (),
    ) -> "Search":
        """Embeds queries and galleries, and computes the similarity of any query and any entry.

        matchers: models that read the entries' tokens afterwards; their Features are kept.
        """
        config = self.config
        galleries, told = self.galleries(members, dataset, device, matchers=matchers)
        found = {
            pair: both_readable(*(galleries[stream] for stream in pair)) for pair in config.pairs
        }
        ways: dict[str, tuple[Gallery, Gallery]] = {}
        ranks: dict[str, Ranks] = {}
        similarities: dict[str, Similarity] = {}
        for pair, (first, second) in found.items():
            names, vectors = ways_of(pair), self._vectors(first, second)
            ways |= zip(names, ((first, second), (second, first)), strict=True)
            both = rank_both_ways(*vectors, first.matches, second.matches)
            ranks |= zip(names, both, strict=True)
            products = dot_product(*vectors), dot_product(*reversed(vectors))
            similarities |= zip(names, products, strict=True)
        kept = {entry for pair in found.values() for gallery in pair for entry in gallery.entries}
        unreadable = sum(map(len, galleries.values())) - len(kept)
        protocol = {
            **told,
            **_sizes(found),
            "models": len(members),
            "left_out_unreadable": told["left_out_unreadable"] + unreadable,
            "interval": f"95% bootstrap over groups, {config.resamples} resamples",
        }
        return Search(ways, similarities, ranks, protocol)

    def galleries(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        device: torch.device | str = "cpu",
        *,
        matchers: Sequence[Member] = (),
    ) -> tuple[dict[str, Gallery], dict[str, Any]]:
        """The entries of each stream that match an entry of another one, embedded once; and the number of entries
        left out.
        """
        check_members(members)
        config = self.config
        bad = config.inference.errors.build(len(dataset))
        listed = list_entries(dataset, config.searched, bad)
        if config.by_group:
            listed = replace(listed, matches=listed.groups)
        # Without a partner in any other stream an entry is not embedded; of two streams these are its pair's.
        partnered = listed.partnered()
        galleries = {
            stream: embedded(
                members, matchers, dataset, entries, partnered, config.inference, bad, device
            )
            for stream, entries in partnered.entries.items()
        }
        read = sum(map(len, galleries.values()))
        told: dict[str, Any] = {
            **partnered.protocol,
            "left_out_without_partner": len(listed) - len(partnered),
            "left_out_unreadable": len(partnered) - read,
        }
        if config.by_group:
            told |= {f"embedded_{s}s": len(gallery) for s, gallery in galleries.items()}
            galleries = {s: by_group(gallery) for s, gallery in galleries.items()}
        return galleries, told

    def result(self, search: "Search", leakage: Leakage | None = None) -> TaskResult:
        """The numbers of a search."""
        ranks, ways = search.ranks, search.ways
        return TaskResult(
            task=self.name,
            protocol=search.protocol,
            metrics=self._scores(ranks, {way: pair[0].groups for way, pair in ways.items()}),
            baselines={"chance": self._chance(ranks, ways)},
            leakage=leakage,
            queries={way: Queries(ranks[way].rank, ways[way][0].groups) for way in ways},
            values={
                metric.of(way).name: Values(metric.scale * of_queries, ways[way][0].groups)
                for way, values in self._values(ranks).items()
                for metric, of_queries in values.items()
            },
            examples={
                way: self._examples(
                    ranks[way],
                    search.similarities[way],
                    *pair,
                    right_and_wrong(ranks[way].rank, self.config.examples, self.config.seed),
                )
                for way, pair in ways.items()
            },
            worst_examples={
                way: self._examples(
                    ranks[way],
                    search.similarities[way],
                    *pair,
                    worst_first(ranks[way].rank - 1, WORST),
                )
                for way, pair in ways.items()
            },
        )

    def _vectors(self, first: Gallery, second: Gallery) -> tuple[Tensor, Tensor]:
        """Embeddings of both sides whose inner products are the members' average similarity."""
        members = list(zip(first.vectors, second.vectors, strict=True))
        if self.config.standardise:
            members = [standardised(*pair) for pair in members]
        return averaged(members)

    def _scores(self, ranks: Mapping[str, Ranks], groups: Mapping[str, Tensor]) -> dict[str, Score]:
        config = self.config
        every = torch.cat(list(groups.values()))
        bootstrap = config.bootstrap(every)
        found: list[Score] = []
        recalls: list[Statistic] = []
        for way, values in self._values(ranks).items():
            of = groups[way]
            statistics = bootstrap.means(torch.stack(list(values.values()), dim=1), of)
            recalls += statistics[: len(config.ks)]
            for (metric, column), statistic in zip(values.items(), statistics, strict=True):
                estimate = statistic.estimate()
                if metric.unit == PERCENT and estimate.low == estimate.high:
                    estimate = bootstrap.proportion(column, of)
                found.append(metric.of(way).score(estimate))
            median = bootstrap.median(ranks[way].rank, of).estimate()
            found.insert(-3, MEDIAN_RANK.of(way).score(median))
        total = functools.reduce(operator.add, recalls)
        found.append(RSUM.score((total * 100).estimate()))
        return by_name(found)

    def _values(self, ranks: Mapping[str, Ranks]) -> dict[str, dict[Metric, Tensor]]:
        """Direction -> metrics that are means over its queries (Q,), recalls first."""
        return {
            way: {
                **{recall_at(k): found.hits(k).double() for k in self.config.ks},
                MEAN_RANK: found.rank.double(),
                MAP: found.average_precision,
                MRR: found.reciprocal,
            }
            for way, found in ranks.items()
        }

    def _chance(
        self, ranks: Mapping[str, Ranks], ways: Mapping[str, tuple[Gallery, Gallery]]
    ) -> dict[str, float]:
        named: dict[str, float] = {}
        total = 0.0
        for way, found in ranks.items():
            chance = retrieval_chance(found.positives, len(ways[way][1]), self.config.ks)
            values = {recall_at(k): share for k, share in chance.recall.items()}
            values |= {MEDIAN_RANK: chance.median_rank, MEAN_RANK: chance.mean_rank}
            values |= {MAP: chance.average_precision, MRR: chance.reciprocal_rank}
            named |= {metric.of(way).name: metric.scale * v for metric, v in values.items()}
            total += 100 * sum(chance.recall.values())
        return {**named, RSUM.name: total}

    def _examples(
        self,
        ranks: Ranks,
        similarity: Similarity,
        queries: Gallery,
        gallery: Gallery,
        chosen: Sequence[int],
    ) -> tuple[Example, ...]:
        if not chosen:
            return ()
        scores, places = top_k(similarity, chosen, min(EXAMPLE_ANSWERS, len(gallery)))
        return tuple(
            Example(
                query=queries.entries[query],
                rank=int(ranks.rank[query]),
                answers=tuple(
                    Answer(
                        gallery.entries[g], s, bool(gallery.matches[g] == queries.matches[query])
                    )
                    for g, s in zip(places[n].tolist(), scores[n].tolist(), strict=True)
                ),
            )
            for n, query in enumerate(chosen)
        )


def _sizes(found: Mapping[tuple[str, str], tuple[Gallery, Gallery]]) -> dict[str, float]:
    """The number of entries of each gallery; for several pairs, of each pair."""
    sizes: dict[str, float] = {}
    for (one, other), (first, second) in found.items():
        lead = "" if len(found) == 1 else f"{one}_{other}/"
        sizes |= {
            f"{lead}{plural_of(one)}": len(first),
            f"{lead}{plural_of(other)}": len(second),
            f"{lead}{plural_of(other)}_per_{one}": len(second) / len(first),
        }
    return sizes
