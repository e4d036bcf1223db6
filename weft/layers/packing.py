"""Packing: layers work on the real tokens only, so that padding costs nothing and changes nothing.

In the padded mode (`weft.layers.padded`) they work on every place of the batch, to the same result.
"""

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.layers.padded import is_padded


@dataclass(frozen=True)
class Group:
    """`rows` sequences of the same `length`, lying one after another from token `start` on.

    mask: (rows, length) True where a key is real, in every row at least one, or None for everywhere:
    packing leaves no padding within a group.
    """

    start: int
    rows: int
    length: int
    mask: Tensor | None = None

    @property
    def stop(self) -> int:
        return self.start + self.rows * self.length

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.length


@dataclass(frozen=True)
class Packing:
    """Where the S real tokens of a padded (B, T) batch lie.

    Packed tokens are ordered by the length of their sequence, then by row, then by position.
    Sequences of one length are therefore a view (rows, length, ...) of the packed tokens:
    attention needs no mask and no copy, everything else sees one long (S, ...) tensor. Padded
    values are never read, not even multiplied by zero, so NaN in padding stays there.

    mask: (B, T) True where real. rows: (B,) row numbers in packed order. lengths: (B,) their
    lengths. index: (S,) places in the flat (B * T), or None for all places as they lie: where nothing
    is padded, and where `masked`. masked: the padded mode, in which "packed" tokens are all S = B * T
    places, one group, with zeros in the padding. stream: whose tokens these are, where a fusion
    knows; explanations read it.
    """

    mask: Tensor
    rows: Tensor
    lengths: Tensor
    index: Tensor | None
    groups: tuple[Group, ...]
    stream: str = ""
    masked: bool = False

    @classmethod
    def dense(
        cls, rows: int, length: int, device: torch.device | str, stream: str = ""
    ) -> "Packing":
        """No padding at all: packed tokens are the (B * T) tokens as they lie."""
        return cls(
            mask=torch.ones(rows, length, dtype=torch.bool, device=device),
            rows=torch.arange(rows, device=device),
            lengths=torch.full((rows,), length, device=device),
            index=None,
            groups=(Group(0, rows, length),) if rows and length else (),
            stream=stream,
        )

    @classmethod
    def of(cls, mask_BT: Tensor, stream: str = "") -> "Packing":
        """The packing of a mask of any pattern; rows may be padded left, right, inside or wholly."""
        if mask_BT.dtype != torch.bool or mask_BT.ndim != 2:
            raise ValueError(
                f"mask is {mask_BT.dtype} of shape {tuple(mask_BT.shape)}, expected torch.bool (B, T)"
            )
        if is_padded():
            return cls._masked(mask_BT, stream)
        rows, width = mask_BT.shape
        lengths, order = mask_BT.sum(dim=1).sort(stable=True)
        # One transfer to the host a batch: the sizes of the groups steer Python.
        host_lengths = lengths.tolist()
        if all(length == width for length in host_lengths):
            return cls.dense(rows, width, mask_BT.device, stream)
        places_BT = order[:, None] * width + torch.arange(width, device=mask_BT.device)
        groups: list[Group] = []
        start = 0
        for length, run in itertools.groupby(host_lengths):
            if length:
                groups.append(Group(start, len(list(run)), length))
                start = groups[-1].stop
        return cls(mask_BT, order, lengths, places_BT[mask_BT[order]], tuple(groups), stream)

    @classmethod
    def _masked(cls, mask_BT: Tensor, stream: str) -> "Packing":
        rows, width = mask_BT.shape
        whole = cls.dense(rows, width, mask_BT.device, stream)
        # A row without any token attends to zeros, which nobody reads, and not to nothing: that is NaN.
        seen_BT = mask_BT | ~mask_BT.any(dim=1, keepdim=True)
        groups = tuple(replace(group, mask=seen_BT) for group in whole.groups)
        return replace(whole, mask=mask_BT, groups=groups, masked=True)

    @property
    def padding(self) -> bool:
        """Whether the batch has padding, or may have: the padded mode does not look."""
        return self.index is not None or self.masked

    @property
    def longest(self) -> int:
        """The most real tokens of a row; in the padded mode the width T."""
        return self.groups[-1].length if self.groups else 0

    def pack(self, values: Tensor) -> Tensor:
        """(B, T, ...) -> (S, ...), the real tokens."""
        if values.shape[:2] != self.mask.shape:
            raise ValueError(
                f"values have shape {tuple(values.shape)}, expected {tuple(self.mask.shape)} first"
            )
        if self.masked:
            values = values.masked_fill(~self._like(values), 0)
        flat = values.flatten(0, 1)
        return flat if self.index is None else flat.index_select(0, self.index)

    def unpack(self, values: Tensor) -> Tensor:
        """(S, ...) -> (B, T, ...), zero in the padding."""
        if self.index is not None:
            flat = values.new_zeros(self.mask.numel(), *values.shape[1:])
            values = flat.index_copy(0, self.index, values)
        values = values.view(*self.mask.shape, *values.shape[1:])
        return values.masked_fill(~self._like(values), 0) if self.masked else values

    def positions(self) -> Tensor:
        """(S,) the number of real tokens before each token of its row."""
        if self.padding:
            return self.pack(self.mask.cumsum(dim=1) - 1)
        rows, length = self.mask.shape
        return torch.arange(length, device=self.mask.device).repeat(rows)

    @cached_property
    def bounds(self) -> Tensor:
        """(B + 1,) int32: where in packed order each sequence begins, and where the last one ends."""
        return F.pad(self.lengths.cumsum(0), (1, 0)).to(torch.int32)

    @property
    def count(self) -> int:
        """S, how many real tokens there are."""
        return self.mask.numel() if self.index is None else self.index.shape[0]

    def by_row(self, values_B: Tensor) -> Tensor:
        """(B,) in packed order -> in the order of the batch."""
        return torch.empty_like(values_B).index_copy_(0, self.rows, values_B)

    def spread(self, values_B: Tensor) -> Tensor:
        """(B,) -> (S,), each row's value at each of its tokens."""
        if self.index is None:  # the rows as they lie, each T long
            return values_B[:, None].expand(self.mask.shape).flatten()
        return values_B[self.rows].repeat_interleave(self.lengths)

    def _like(self, values: Tensor) -> Tensor:
        """The mask (B, T, 1, ...), for values (B, T, ...)."""
        return self.mask.view(*self.mask.shape, *(1,) * (values.ndim - 2))
