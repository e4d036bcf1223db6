"""Pairing: the packed keys to which the packed queries of each row attend."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.layers.packing import Group, Packing


@dataclass(frozen=True)
class KeyGroup:
    """The keys for the rows of one group of queries, padded to the longest.

    index: (rows, L) positions among the packed keys; padding has the position after the last key. mask: (rows, L)
    True for real keys, or None if all are. A row without keys gets one zero key that counts as real.
    """

    index: Tensor
    mask: Tensor | None

    @property
    def shape(self) -> tuple[int, int]:
        rows, length = self.index.shape
        return rows, length


def by_group(groups: Sequence[Group | KeyGroup], values: Tensor) -> list[Tensor]:
    """(S, ...) -> (rows, length, ...) for each group; views if nothing is gathered.

    One operation serves all groups. With a slice for each group, the backward pass would fill and add as many
    gradients of full size S, which took a third of a training step.
    """
    if not groups:
        return []
    gathered = [group.index.flatten() for group in groups if isinstance(group, KeyGroup)]
    if gathered:
        values = values.index_select(0, torch.cat(gathered))
    parts = torch.split(values, [group.shape[0] * group.shape[1] for group in groups])
    return [
        part.view(*group.shape, *values.shape[1:])
        for group, part in zip(groups, parts, strict=True)
    ]


@dataclass(frozen=True)
class Pairing:
    """Two packings of the same batch, row by row: the tokens of one attend to those of the other.

    Queries need no mask and no copy, since rows of one length are adjacent. The keys of those rows are gathered once
    in each attention layer, and masked only if their lengths differ.

    key_groups: one for each group of `queries`. padded: whether any of them is. without_keys: (S,) True for queries
    whose row has no key, or None if there are none.
    """

    queries: Packing
    keys: Packing
    key_groups: Sequence[Group | KeyGroup]
    padded: bool
    without_keys: Tensor | None

    @classmethod
    def within(cls, packing: Packing) -> "Pairing":
        """Pairs every row with itself."""
        return cls(packing, packing, packing.groups, False, None)

    @classmethod
    def of(cls, queries: Packing, keys: Packing) -> "Pairing":
        """Raises ValueError if the two belong to different batches."""
        rows, others = queries.mask.shape[0], keys.mask.shape[0]
        if rows != others:
            raise ValueError(f"queries have {rows} rows and keys {others}, expected as many")
        if not keys.count:
            return cls._without_keys(queries, keys)
        if queries.index is None and keys.index is None:
            missing_S = queries.spread(~keys.mask.any(dim=1)) if keys.masked else None
            return cls(queries, keys, keys.groups if queries.groups else (), False, missing_S)
        starts_B = keys.by_row(keys.lengths.cumsum(0) - keys.lengths)[queries.rows]
        lengths_B = keys.by_row(keys.lengths)[queries.rows]
        host_lengths = lengths_B.tolist()
        row = len(host_lengths) - sum(group.rows for group in queries.groups)
        missing = 0 in host_lengths[row:]
        groups: list[KeyGroup] = []
        for group in queries.groups:
            part = slice(row, row + group.rows)
            groups.append(_keys(starts_B[part], lengths_B[part], host_lengths[part], keys.count))
            row += group.rows
        return cls(
            queries,
            keys,
            groups,
            padded=any(group.mask is not None for group in groups) or missing,
            without_keys=(lengths_B == 0).repeat_interleave(queries.lengths) if missing else None,
        )

    @classmethod
    def _without_keys(cls, queries: Packing, keys: Packing) -> "Pairing":
        """The pairing if no row has a key: each gets a zero key."""
        device = keys.mask.device
        groups = [
            KeyGroup(torch.zeros(group.rows, 1, dtype=torch.int64, device=device), None)
            for group in queries.groups
        ]
        missing_S = torch.ones(queries.count, dtype=torch.bool, device=device)
        return cls(queries, keys, groups, padded=True, without_keys=missing_S)

    def with_padding(self, values: Tensor) -> Tensor:
        """(S, ...) values of the keys, with a zero appended if padding needs it."""
        if not self.padded:
            return values
        return F.pad(values, (*(0, 0) * (values.ndim - 1), 0, 1))


def _keys(starts_R: Tensor, lengths_R: Tensor, host_lengths: list[int], count: int) -> KeyGroup:
    shortest, longest = min(host_lengths), max(host_lengths)
    steps_L = torch.arange(max(longest, 1), device=starts_R.device)
    real_RL = steps_L < lengths_R[:, None]
    index_RL = (starts_R[:, None] + steps_L).masked_fill(~real_RL, count)
    if shortest == longest:
        return KeyGroup(index_RL, None)
    return KeyGroup(index_RL, steps_L < lengths_R.clamp_min(1)[:, None])
