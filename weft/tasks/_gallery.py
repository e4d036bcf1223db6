"""What is searched: the embedded items of one stream."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.inference.config import InferenceConfig
from weft.inference.embedding import Embeddings, Taker, encode_items
from weft.inference.encoded import KeptItems
from weft.inference.items import Listing
from weft.inference.member import Item, Member


@dataclass(frozen=True)
class Gallery:
    """The items of one stream, their groups (N,), what they match (N,), each member's embeddings (N, E),
    and what was kept for each matcher."""

    items: tuple[Item, ...]
    groups: Tensor
    matches: Tensor
    vectors: tuple[Tensor, ...]
    kept: tuple[KeptItems, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


def embedded(
    members: Sequence[Member],
    matchers: Sequence[Member],
    dataset: Dataset,
    items: Sequence[Item],
    listed: Listing,
    config: InferenceConfig,
    bad: BadRows,
    device: torch.device | str,
) -> Gallery:
    """The items that all could read, embedded by the members and kept for the matchers; each is read once."""
    vectors = [Embeddings(member.model, items) for member in members]
    kept = [KeptItems(items) for _ in matchers]
    takers: list[tuple[Member, list[Taker]]] = []
    for member in {id(one): one for one in (*members, *matchers)}.values():
        adds = [v.add for v, one in zip(vectors, members, strict=True) if one is member]
        keeps = [k.add for k, one in zip(kept, matchers, strict=True) if one is member]
        takers.append((member, [*adds, *keeps]))
    read = encode_items(takers, items, dataset, config, bad, device)
    found = tuple(item for item, there in zip(items, read.tolist(), strict=True) if there)
    groups, matches = (
        torch.tensor([of[item.row] for item in found]) for of in (listed.groups, listed.matches)
    )
    units = tuple(one.unit(read).to(device) for one in vectors)
    return Gallery(found, groups, matches, units, tuple(kept))


def both_readable(first: Gallery, second: Gallery) -> tuple[Gallery, Gallery]:
    """Only what still has a match on the other side after unreadable rows were left out."""
    common = set(first.matches.tolist()) & set(second.matches.tolist())
    if not common:
        raise WeftError("no rows that match each other have two streams that can be read")
    return _only(first, common), _only(second, common)


def _only(gallery: Gallery, matches: set[int]) -> Gallery:
    keep = torch.tensor([match in matches for match in gallery.matches.tolist()])
    if keep.all():
        return gallery
    items = tuple(i for i, k in zip(gallery.items, keep.tolist(), strict=True) if k)
    vectors = tuple(v[keep.to(v.device)] for v in gallery.vectors)
    return Gallery(items, gallery.groups[keep], gallery.matches[keep], vectors, gallery.kept)
