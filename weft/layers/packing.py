"""Packing: layers compute only real tokens, so padding costs nothing and changes nothing.

In the padded mode (`weft.layers.padded`) they compute every position of the batch, with the same result.
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
    """`rows` sequences of the same `length`, adjacent from token `start` on.

    mask: (rows, length) True for real keys, at least one in every row, or None if all are real: packing leaves no
    padding within a group.
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
    """The positions of the S real tokens of a padded (B, T) batch.

    Packed tokens are ordered by the length of their sequence, then by row, then by position. So sequences of one
    length are a view (rows, length, ...) of the packed tokens: attention needs no mask and no copy, and all other
    layers see one long (S, ...) tensor. Padded values are never read, not even multiplied by zero, so NaN in padding
    stays there.

    mask: (B, T) True where real. rows: (B,) row numbers in packed order. lengths: (B,) their lengths. index: (S,)
    positions in the flat (B * T), or None for all positions in their order: without padding, or if `masked`. masked:
    the padded mode, in which the "packed" tokens are all S = B * T positions, one group, with zeros in the padding.
    stream: name of the tokens' stream, if a fusion sets it; explanations read it.
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
        """Returns the packing without any padding: packed tokens are all (B * T) tokens in their order."""
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
        """Returns the packing for any mask; rows may be padded left, right, inside or wholly."""
        if mask_BT.dtype != torch.bool or mask_BT.ndim != 2:
            raise ValueError(
                f"mask is {mask_BT.dtype} of shape {tuple(mask_BT.shape)}, expected torch.bool (B, T)"
            )
        if is_padded():
            return cls._masked(mask_BT, stream)
        rows, width = mask_BT.shape
        lengths, order = mask_BT.sum(dim=1).sort(stable=True)
        # One transfer to the host for each batch: Python needs the sizes of the groups.
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
        # A row without tokens attends to zeros, which nobody reads; attending to nothing would give
        # NaN.
        seen_BT = mask_BT | ~mask_BT.any(dim=1, keepdim=True)
        groups = tuple(replace(group, mask=seen_BT) for group in whole.groups)
        return replace(whole, mask=mask_BT, groups=groups, masked=True)

    @property
    def padding(self) -> bool:
        """Whether the batch has padding. The padded mode assumes so without looking."""
        return self.index is not None or self.masked

    @property
    def longest(self) -> int:
        """The maximum number of real tokens in a row; in the padded mode the width T."""
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
        """(B + 1,) int32: the start of each sequence in packed order, and the end of the last one."""
        return F.pad(self.lengths.cumsum(0), (1, 0)).to(torch.int32)

    @property
    def count(self) -> int:
        """S, the number of real tokens."""
        return self.mask.numel() if self.index is None else self.index.shape[0]

    def by_row(self, values_B: Tensor) -> Tensor:
        """(B,) in packed order -> in the order of the batch."""
        return torch.empty_like(values_B).index_copy_(0, self.rows, values_B)

    def spread(self, values_B: Tensor) -> Tensor:
        """(B,) -> (S,), each row's value at each of its tokens."""
        if self.index is None:  # the rows in their order, each of length T
            return values_B[:, None].expand(self.mask.shape).flatten()
        return values_B[self.rows].repeat_interleave(self.lengths)

    def _like(self, values: Tensor) -> Tensor:
        """The mask (B, T, 1, ...), for values (B, T, ...)."""
        return self.mask.view(*self.mask.shape, *(1,) * (values.ndim - 2))
