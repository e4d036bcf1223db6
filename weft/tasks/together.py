"""Retrieval with several query streams: all streams of a row together search another one, with and without some of
them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.records import Features
from weft.data.formats import Dataset, Subset, spread_rows
from weft.evaluation.query_weights import query_weights
from weft.evaluation.ranking import averaged, dot_product, rank_queries, standardised
from weft.inference.member import Member
from weft.inference.missing_table import ABSENT, TOKEN, MissingLine
from weft.tasks._gallery import Gallery, unit_means
from weft.tasks._ranks import recall_at
from weft.tasks.retrieval import RetrievalConfig

MOST_MATCHES = 1000
"""Number of validation rows by which the weights of streams are chosen."""
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
) -> list[MissingLine]:
    """Recall among the first `config.ks[0]` of each stream, searched by the weighted sum of the unit embeddings of the
    others.

    sets: the stream that is searched -> sets of the remaining other streams. The missing ones are left out of the
    sum, or replaced by a filler's embedding; a mask token has none, since embeddings are made before streams are
    fused. A query is a match that has an entry of the searched stream; for several entries of a stream (captions)
    it uses their mean. validation: rows by which the weights of the streams are chosen (`query_weights`), at most
    `MOST_MATCHES`, evenly spread; without them all weights are 1.
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
    return lines


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


@dataclass(frozen=True)
class Weigher:
    """Weighs the streams of a query by what they tell of the searched one on validation rows. galleries: of these rows."""

    galleries: Mapping[str, Gallery]

    @classmethod
    def of(
        cls,
        config: RetrievalConfig,
        members: Sequence[Member],
        rows: Dataset | None,
        device: torch.device | str,
    ) -> Self:
        if rows is None:
            return cls({})
        spread = Subset(rows, spread_rows(len(rows), MOST_MATCHES))
        over = [member.over(spread) for member in members]
        return cls(config.build().galleries(over, spread, device)[0])

    def weights(self, asking: Sequence[str], found: str) -> dict[str, float]:
        """Stream -> weight, of the streams that search together for `found`."""
        if len(asking) < 2 or not self.galleries:
            return dict.fromkeys(asking, 1.0)
        gallery = self.galleries[found]
        queries = {stream: entries_of(self.galleries[stream]) for stream in asking}
        matches = set(gallery.matches.tolist()).intersection(*(q.places for q in queries.values()))
        there = sorted(matches)
        if len(there) < 2:
            return dict.fromkeys(asking, 1.0)
        similarities = [
            torch.stack(
                [
                    vectors_NE[[one.places[match] for match in there]] @ gallery_GE.T
                    for vectors_NE, gallery_GE in zip(one.vectors, gallery.vectors, strict=True)
                ]
            ).mean(0)
            for one in queries.values()
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
        """Recall of the queries that have any of the streams `asking`. fill: for each member, added to all queries."""
        weights = self.weigher.weights((*left, *fill[0]), self.found)
        group_of = dict(
            zip(self.gallery.matches.tolist(), self.gallery.groups.tolist(), strict=True)
        )
        there = [m for m in group_of if any(m in self.others[s].places for s in asking)]
        pairs = []
        for number, (gallery_GE, constants) in enumerate(
            zip(self.gallery.vectors, fill, strict=True)
        ):
            sums_QE = gallery_GE.new_zeros(len(there), gallery_GE.shape[1])
            for stream in left:
                entries = self.others[stream]
                rows = [(n, entries.places[m]) for n, m in enumerate(there) if m in entries.places]
                index = torch.tensor(rows, dtype=torch.int64, device=sums_QE.device).view(-1, 2)
                vectors = weights[stream] * entries.vectors[number][index[:, 1]]
                sums_QE.index_add_(0, index[:, 0], vectors)
            for stream, constant_E in constants.items():
                sums_QE += weights[stream] * constant_E
            pairs.append((F.normalize(sums_QE, dim=-1), gallery_GE))
        if self.config.standardise:
            pairs = [standardised(*pair) for pair in pairs]
        similarity = dot_product(*averaged(pairs))
        ranks = rank_queries(similarity, torch.tensor(there), self.gallery.matches)
        groups = torch.tensor([group_of[match] for match in there])
        metric = recall_at(self.config.ks[0])
        hits = self.config.bootstrap(groups).proportion(ranks.hits(self.config.ks[0]), groups)
        return MissingLine(left, filler, metric.score(hits), self.found)
