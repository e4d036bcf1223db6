"""A gallery: the embedded entries of one stream, which is searched."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import WeftError
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.inference.config import InferenceConfig
from weft.inference.embedding import Embeddings, Taker, encode_entries
from weft.inference.encoded import KeptEntries
from weft.inference.entries import Listing
from weft.inference.member import Entry, Member


@dataclass(frozen=True)
class Gallery:
    """The entries of one stream, their groups (N,), their matches (N,), each member's embeddings (N, E), and the
    kept features for each matcher.
    """

    entries: tuple[Entry, ...]
    groups: Tensor
    matches: Tensor
    vectors: tuple[Tensor, ...]
    kept: tuple[KeptEntries, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)


def embedded(
    members: Sequence[Member],
    matchers: Sequence[Member],
    dataset: Dataset,
    entries: Sequence[Entry],
    listed: Listing,
    config: InferenceConfig,
    bad: BadRows,
    device: torch.device | str,
) -> Gallery:
    """The entries that all members could read, embedded by the members and kept for the matchers; each is read
    once.
    """
    vectors = [Embeddings(member.model, entries) for member in members]
    kept = [KeptEntries(entries) for _ in matchers]
    takers: list[tuple[Member, list[Taker]]] = []
    for member in {id(one): one for one in (*members, *matchers)}.values():
        adds = [v.add for v, one in zip(vectors, members, strict=True) if one is member]
        keeps = [k.add for k, one in zip(kept, matchers, strict=True) if one is member]
        takers.append((member, [*adds, *keeps]))
    read = encode_entries(takers, entries, dataset, config, bad, device)
    found = tuple(entry for entry, there in zip(entries, read.tolist(), strict=True) if there)
    groups, matches = (
        torch.tensor([of[entry.row] for entry in found]) for of in (listed.groups, listed.matches)
    )
    units = tuple(one.unit(read).to(device) for one in vectors)
    return Gallery(found, groups, matches, units, tuple(kept))


def by_group(gallery: Gallery) -> Gallery:
    """One entry for each group, its first: the mean of the embeddings of its entries, of unit length."""
    numbers = gallery.groups.tolist()
    first = {group: n for n, group in reversed(list(enumerate(numbers)))}
    firsts = sorted(first.values())
    place = {numbers[n]: number for number, n in enumerate(firsts)}
    places_N = torch.tensor([place[group] for group in numbers])
    units = [unit_means(vectors_NE, places_N, len(place)) for vectors_NE in gallery.vectors]
    groups = gallery.groups[firsts]
    return Gallery(tuple(gallery.entries[n] for n in firsts), groups, groups, tuple(units))


def unit_means(vectors_NE: Tensor, places_N: Tensor, count: int) -> Tensor:
    """(count, E) the mean of the vectors of each place, of unit length. places_N: from 0 to count - 1."""
    sums_PE = vectors_NE.new_zeros(count, vectors_NE.shape[1])
    return F.normalize(sums_PE.index_add_(0, places_N.to(vectors_NE.device), vectors_NE), dim=-1)


def both_readable(first: Gallery, second: Gallery) -> tuple[Gallery, Gallery]:
    """Only the entries that still have a match on the other side after unreadable rows were left out."""
    common = set(first.matches.tolist()) & set(second.matches.tolist())
    if not common:
        raise WeftError("no rows that match each other have two streams that can be read")
    return _only(first, common), _only(second, common)


def _only(gallery: Gallery, matches: set[int]) -> Gallery:
    keep = torch.tensor([match in matches for match in gallery.matches.tolist()])
    if keep.all():
        return gallery
    entries = tuple(i for i, k in zip(gallery.entries, keep.tolist(), strict=True) if k)
    vectors = tuple(v[keep.to(v.device)] for v in gallery.vectors)
    return Gallery(entries, gallery.groups[keep], gallery.matches[keep], vectors, gallery.kept)
