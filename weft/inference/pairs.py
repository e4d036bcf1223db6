"""Pairs of two streams of a data set's rows, such as pictures and texts, with embeddings and encoder features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Features
from weft.data.formats import Dataset
from weft.inference.config import InferenceConfig
from weft.inference.embedding import Embeddings, Taker, View, encode_entries
from weft.inference.encoded import KeptEntries
from weft.inference.entries import Listing, list_entries
from weft.inference.member import Entry, Member


@dataclass(frozen=True)
class Side:
    """N entries of one stream. groups, matches: (N,). embeddings: (N, E) of unit length. features: (N, D) pooled,
    the mean over the entry's views. kept: their Features, if a matching head reads them.
    """

    stream: str
    entries: tuple[Entry, ...]
    groups: Tensor
    matches: Tensor
    embeddings: Tensor
    features: Tensor
    kept: KeptEntries | None = None

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True)
class Pairs:
    """Both streams of a data set, and the pairs (P, 2) of entries that belong together: each entry of the second
    stream with one entry of the first.
    """

    first: Side
    second: Side
    own: Tensor

    @property
    def rows(self) -> set[int]:
        """The numbers of the rows whose entry of the second stream has a pair."""
        return {self.second.entries[n].row for n in self.own[:, 1].tolist()}

    @property
    def groups(self) -> Tensor:
        """(P,) the group of each pair."""
        return self.second.groups[self.own[:, 1]]


def read_pairs(
    member: Member,
    dataset: Dataset,
    streams: tuple[str, str],
    config: InferenceConfig,
    device: torch.device | str,
    *,
    keep: bool = False,
    most: int | None = None,
    seed: int = 0,
) -> Pairs:
    """Reads both streams of a data set. keep: keep the Features of all entries. most: only this number of different
    matches, such as pictures, sampled with the seed.

    Raises WeftError if no readable entries belong together.
    """
    bad = config.errors.build(len(dataset))
    listed = list_entries(dataset, streams, bad).partnered()
    if most is not None:
        listed = _drawn(listed, most, seed)
    first, second = (
        read_side(member, dataset, listed, stream, config, device, keep=keep) for stream in streams
    )
    return Pairs(first, second, _own_pairs(first, second))


def _drawn(listed: Listing, most: int, seed: int) -> Listing:
    """Only the entries of `most` sampled matches."""
    matches = sorted({listed.matches[one.row] for of in listed.entries.values() for one in of})
    if len(matches) <= most:
        return listed
    generator = torch.Generator().manual_seed(seed)
    kept = {matches[n] for n in torch.randperm(len(matches), generator=generator)[:most].tolist()}
    entries = {
        stream: [one for one in of if listed.matches[one.row] in kept]
        for stream, of in listed.entries.items()
    }
    return replace(listed, entries=entries)


def read_side(
    member: Member,
    dataset: Dataset,
    listed: Listing,
    stream: str,
    config: InferenceConfig,
    device: torch.device | str,
    *,
    keep: bool = False,
) -> Side:
    """Embeddings and features of the listed entries of a stream."""
    entries = listed.entries[stream]
    embeddings, features = Embeddings(member.model, entries), _MeanFeatures(len(entries))
    kept = KeptEntries(entries) if keep else None
    takers: list[Taker] = [embeddings.add, features.add]
    bad = config.errors.build(len(entries))
    read_N = encode_entries(
        [(member, [*takers, kept.add] if kept else takers)], entries, dataset, config, bad, device
    )
    found = tuple(one for one, there in zip(entries, read_N.tolist(), strict=True) if there)
    if not found:
        raise WeftError(f"no '{stream}' of the rows can be read")
    groups, matches = (
        torch.tensor([of[entry.row] for entry in found]) for of in (listed.groups, listed.matches)
    )
    return Side(stream, found, groups, matches, embeddings.unit(read_N), features.of(read_N), kept)


class _MeanFeatures:
    """Pooled features of entries, the mean over their views."""

    def __init__(self, count: int) -> None:
        self._count_N = torch.zeros(count)
        self._sum_ND = torch.zeros(count, 0)

    def add(self, views: Sequence[View], features: Features) -> None:
        pooled_VD = features.pooled.float().cpu()
        if not self._sum_ND.shape[1]:
            self._sum_ND = torch.zeros(len(self._count_N), pooled_VD.shape[1])
        places = torch.tensor([view.place for view in views])
        self._sum_ND.index_add_(0, places, pooled_VD)
        self._count_N.index_add_(0, places, torch.ones(len(views)))

    def of(self, read_N: Tensor) -> Tensor:
        """(R, D)"""
        return self._sum_ND[read_N] / self._count_N[read_N, None]


def _own_pairs(first: Side, second: Side) -> Tensor:
    """(P, 2) each entry of the second stream with the first stream's entry of the same row, or else with the first
    entry that it matches.
    """
    of_row = {entry.row: n for n, entry in reversed(list(enumerate(first.entries)))}
    of_match = {match: n for n, match in reversed(list(enumerate(first.matches.tolist())))}
    found = [
        (of_row.get(entry.row, of_match.get(match, -1)), n)
        for n, (entry, match) in enumerate(
            zip(second.entries, second.matches.tolist(), strict=True)
        )
    ]
    pairs = [pair for pair in found if pair[0] >= 0]
    if not pairs:
        raise WeftError(
            f"no {first.stream} and {second.stream} of the rows belong together and can be read"
        )
    return torch.tensor(pairs)
