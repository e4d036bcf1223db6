"""Retrieval with several query streams: all streams of a row together search another one, with and without some of
them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.records import Features
from weft.data.formats import Dataset, Subset, spread_rows
from weft.evaluation.query_weights import query_weights
from weft.evaluation.ranking import averaged, dot_product, rank_queries, standardised
from weft.inference.entries import readable
from weft.inference.member import Member
from weft.inference.missing_table import ABSENT, EQUAL, TOKEN, WEIGHED, MissingLine
from weft.tasks._gallery import Gallery, unit_means
from weft.tasks._ranks import recall_at
from weft.tasks.retrieval import RetrievalConfig

FEWEST_MATCHES, MOST_MATCHES = 2, 1000
"""Least and largest number of validation matches by which the weights of streams are chosen."""
Fillings = Mapping[str, Sequence[Mapping[str, Features]]]
"""Filler -> for each member the substitute for each stream."""


def found_together(
    config: RetrievalConfig,
    members: Sequence[Member],
    dataset: Dataset,
    fillings: Fillings,
    sets: Mapping[str, Sequence[tuple[str, ...]]],
    device: torch.device | str = "cpu",
    validation: Dataset | None = None,
) -> tuple[list[MissingLine], str | None]:
    """Recall among the first `config.ks[0]` of each stream, searched by the weighted sum of the unit embeddings of the
    others; and a note of how several streams search, None if one alone does.

    sets: the stream that is searched -> sets of the remaining other streams. The missing ones are left out of the
    sum, or replaced by a filler's embedding; a mask token has none, since embeddings are made before streams are
    fused. A query is a match that has an entry of the searched stream; for several entries of a stream (captions)
    it uses their mean. validation: rows by which the weights of the streams are chosen (`Weigher`).
    """
    galleries, _ = config.build().galleries(members, dataset, device)
    queries = {stream: entries_of(gallery) for stream, gallery in galleries.items()}
    weigher = Weigher.of(config, members, validation, device)
    with torch.inference_mode():
        constants = {
            filler: [
                {s: m.model.embed(s, f.to(device))[0] for s, f in one.items()}
                for m, one in zip(members, of, strict=True)
            ]
            for filler, of in fillings.items()
            if filler != TOKEN
        }
    lines = []
    for found, lefts in sets.items():
        others = tuple(stream for stream in galleries if stream != found)
        asking = {s: queries[s] for s in others}
        search = TogetherSearch(config, galleries[found], asking, found, weigher)
        lines.append(search.line(others, ABSENT, others, [{}] * len(members)))
        for left in lefts:
            if left:
                lines.append(search.line(left, ABSENT, left, [{}] * len(members)))
            for filler, of in constants.items():
                lost = set(others) - set(left)
                if all(lost <= set(one) for one in of):
                    fill = [{s: one[s] for s in lost} for one in of]
                    lines.append(search.line(left, filler, others, fill))
    how = None if len(galleries) < 3 else WEIGHED if weigher.galleries else EQUAL
    return lines, how


@dataclass(frozen=True)
class _Entries:
    """The entries of a stream for each match. places: match -> row of the vectors. vectors: of each member (N, E),
    unit length.
    """

    places: Mapping[int, int]
    vectors: Sequence[Tensor]


def entries_of(gallery: Gallery) -> _Entries:
    """Of several entries of a match the mean."""
    keys, places_N = torch.unique(gallery.matches, return_inverse=True)
    means = [unit_means(vectors_NE, places_N, len(keys)) for vectors_NE in gallery.vectors]
    return _Entries({key: n for n, key in enumerate(keys.tolist())}, means)


def complete_matches(rows: Dataset, config: RetrievalConfig) -> Dataset:
    """The rows of the matches that have every searched stream; of at most `MOST_MATCHES`, evenly spread."""
    bad = config.inference.errors.build(len(rows))
    rows_of: dict[str, list[int]] = defaultdict(list)
    lacking: dict[str, set[str]] = defaultdict(lambda: set(config.searched))
    for row, sample in readable(rows, bad):
        match = sample.group if config.by_group else sample.match_name
        rows_of[match].append(row)
        lacking[match] -= {s for s in config.searched if sample.items.get(s) is not None}
    complete = [of for match, of in rows_of.items() if not lacking[match]]
    chosen = [complete[place] for place in spread_rows(len(complete), MOST_MATCHES)]
    return Subset(rows, sorted(chain.from_iterable(chosen)))


@dataclass(frozen=True)
class Weigher:
    """Weighs the streams of a query by what they tell of the searched one on validation rows (`query_weights`).

    galleries: of the matches among these rows that have every stream; without galleries all weights are 1.
    """

    galleries: Mapping[str, Gallery]
    _known: dict[tuple[frozenset[str], str], dict[str, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(
        cls,
        config: RetrievalConfig,
        members: Sequence[Member],
        rows: Dataset | None,
        device: torch.device | str,
    ) -> Self:
        """Without galleries if fewer than `FEWEST_MATCHES` have every stream, or no two streams search together."""
        if rows is None or len(config.searched) < 3:
            return cls({})
        complete = complete_matches(rows, config)
        if not len(complete):
            return cls({})
        over = [member.over(complete) for member in members]
        galleries, _ = config.build().galleries(over, complete, device)
        matches = [set(gallery.matches.tolist()) for gallery in galleries.values()]
        return cls(galleries if len(set.intersection(*matches)) >= FEWEST_MATCHES else {})

    def weights(self, asking: Collection[str], found: str) -> dict[str, float]:
        """Stream -> weight, of the streams that search together for `found`."""
        if len(asking) < 2 or not self.galleries:
            return dict.fromkeys(asking, 1.0)
        key = frozenset(asking), found
        if key not in self._known:
            self._known[key] = self._chosen(sorted(asking), found)
        return {stream: self._known[key][stream] for stream in asking}

    def _chosen(self, asking: Sequence[str], found: str) -> dict[str, float]:
        gallery = self.galleries[found]
        queries = [entries_of(self.galleries[stream]) for stream in asking]
        there = sorted(set(gallery.matches.tolist()).intersection(*(q.places for q in queries)))
        similarities = [
            torch.stack(
                [
                    vectors_NE[[one.places[match] for match in there]] @ gallery_GE.T
                    for vectors_NE, gallery_GE in zip(one.vectors, gallery.vectors, strict=True)
                ]
            ).mean(0)
            for one in queries
        ]
        right_QN = torch.tensor(there)[:, None] == gallery.matches
        found_S = query_weights(torch.stack(similarities).cpu(), right_QN)
        return dict(zip(asking, found_S.tolist(), strict=True))


@dataclass(frozen=True)
class TogetherSearch:
    """The gallery of the searched stream, and the entries of the other streams."""

    config: RetrievalConfig
    gallery: Gallery
    others: Mapping[str, _Entries]
    found: str
    weigher: Weigher

    def line(
        self,
        left: tuple[str, ...],
        filler: str,
        asking: tuple[str, ...],
        fill: Sequence[Mapping[str, Tensor]],
    ) -> MissingLine:
        """Recall of the queries that have any of the streams `asking`. fill: for each member, added to all queries. The
        weights of a query are those of the streams that it has, filled ones included."""
        group_of = dict(
            zip(self.gallery.matches.tolist(), self.gallery.groups.tolist(), strict=True)
        )
        there = [m for m in group_of if any(m in self.others[s].places for s in asking)]
        weights_Q = [
            self.weigher.weights(
                [s for s in left if match in self.others[s].places] + [*fill[0]], self.found
            )
            for match in there
        ]
        pairs = []
        for number, (gallery_GE, constants) in enumerate(
            zip(self.gallery.vectors, fill, strict=True)
        ):
            sums_QE = gallery_GE.new_zeros(len(there), gallery_GE.shape[1])
            for stream in left:
                entries = self.others[stream]
                rows = [(n, entries.places[m]) for n, m in enumerate(there) if m in entries.places]
                index = torch.tensor(rows, dtype=torch.int64, device=sums_QE.device).view(-1, 2)
                weights_N = sums_QE.new_tensor([weights_Q[n][stream] for n, _ in rows])
                vectors_NE = entries.vectors[number][index[:, 1]]
                sums_QE.index_add_(0, index[:, 0], weights_N[:, None] * vectors_NE)
            for stream, constant_E in constants.items():
                weights_N = sums_QE.new_tensor([of[stream] for of in weights_Q])
                sums_QE += weights_N[:, None] * constant_E
            pairs.append((F.normalize(sums_QE, dim=-1), gallery_GE))
        if self.config.standardise:
            pairs = [standardised(*pair) for pair in pairs]
        similarity = dot_product(*averaged(pairs))
        ranks = rank_queries(similarity, torch.tensor(there), self.gallery.matches)
        groups = torch.tensor([group_of[match] for match in there])
        metric = recall_at(self.config.ks[0])
        hits = self.config.bootstrap(groups).proportion(ranks.hits(self.config.ks[0]), groups)
        weights = self.weigher.weights(asking, self.found)
        return MissingLine(left, filler, metric.score(hits), self.found, weights)
