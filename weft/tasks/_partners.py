"""Pairs whose second stream is exchanged: by a random row's, by the nearest of another row, or by a column of the
row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import WeftError
from weft.data.formats import Dataset
from weft.data.other_column import OtherColumn
from weft.inference.config import InferenceConfig
from weft.inference.entries import list_entries
from weft.inference.member import Member
from weft.inference.pair_scores import PairScore
from weft.inference.pairs import Pairs, Side, read_side

RANDOM, NEAREST = "random", "nearest"
AT_ONCE = 1024
"""Entries whose nearest entries are searched at a time."""


@dataclass(frozen=True)
class Exchanged:
    """A pairs. second: the source of their second entries. own: (A,) places of the changed pairs. pairs: (A, 2)
    places of the entries. scores: (A,) of each. rows: the source of the entries, if it is not the measured rows.
    """

    second: Side
    own: Tensor
    pairs: Tensor
    scores: Mapping[PairScore, Tensor]
    rows: Dataset | None = None


def exchanged_pairs(
    partner: str,
    pairs: Pairs,
    member: Member,
    dataset: Dataset,
    config: InferenceConfig,
    device: torch.device | str,
    *,
    seed: int,
    keep: bool,
) -> Exchanged:
    """The pairs with other second entries, not scored yet. Raises WeftError if there is nothing to exchange them
    with.
    """
    second, rows = pairs.second, None
    if partner in (RANDOM, NEAREST):
        if bool((second.matches == second.matches[0]).all()):
            raise WeftError(
                "all rows match each other, expected rows that do not, to exchange partners"
            )
        other_N = random_others(second.matches, seed) if partner == RANDOM else _nearest(second)
    else:
        rows = OtherColumn(dataset, second.stream, partner)
        second, other_N = _of_column(rows, member, second, config, device, keep)
    of_pair_P = other_N[pairs.own[:, 1]]
    own_A = (of_pair_P >= 0).nonzero()[:, 0]
    if not len(own_A):
        raise WeftError(f"no row has '{partner}', which is needed to exchange its {second.stream}")
    changed_A2 = torch.stack([pairs.own[own_A, 0], of_pair_P[own_A]], dim=1)
    return Exchanged(second, own_A, changed_A2, {}, rows)


def random_others(matches_N: Tensor, seed: int) -> Tensor:
    """(N,) for each entry a random one that does not match it; there must be at least two different matches."""
    generator = torch.Generator().manual_seed(seed)
    count = len(matches_N)
    order_N = matches_N.argsort(stable=True)
    sorted_N = matches_N[order_N]
    # In this order, the entries that do not match one are all but a run of neighbours.
    starts_N, ends_N = (
        torch.searchsorted(sorted_N, matches_N, right=right) for right in (False, True)
    )
    others_N = count - (ends_N - starts_N)
    drawn_N = (torch.rand(count, generator=generator) * others_N).long()
    return order_N[(ends_N + drawn_N) % count]


def _nearest(side: Side) -> Tensor:
    """(N,) for each entry the nearest that does not match it, by the cosine of its encoder's features."""
    unit_ND = F.normalize(side.features, dim=1)
    found = []
    for start in range(0, len(unit_ND), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        like_RN = unit_ND[some] @ unit_ND.T
        found.append(
            like_RN.masked_fill(side.matches[some, None] == side.matches, -2).argmax(dim=1)
        )
    return torch.cat(found)


def _of_column(
    rows: Dataset,
    member: Member,
    second: Side,
    config: InferenceConfig,
    device: torch.device | str,
    keep: bool,
) -> tuple[Side, Tensor]:
    """The values of the column that replace the second stream in these rows, and (N,) the value for each entry, or
    -1.

    For several captions of a row, each gets the value of the same number, or else the row's first.
    """
    stream = second.stream
    listed = list_entries(rows, (stream,), config.errors.build(len(rows)))
    raw = replace(member, reading=None).over(rows)
    side = read_side(raw, rows, listed, stream, config, device, keep=keep)
    place = {(entry.row, entry.alternative): n for n, entry in enumerate(side.entries)}
    first = {entry.row: n for n, entry in reversed(list(enumerate(side.entries)))}
    other = [
        place.get((entry.row, entry.alternative), first.get(entry.row, -1))
        for entry in second.entries
    ]
    return side, torch.tensor(other)
