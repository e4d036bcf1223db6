"""Packing: layers work on the real tokens only, so that padding costs nothing and changes nothing."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """`rows` sequences of the same `length`, lying one after another from token `start` on."""

    start: int
    rows: int
    length: int
    mask: ClassVar[None] = None
    """Nothing is padded within a group."""

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
    lengths. index: (S,) places in the flat (B * T), or None where nothing is padded. stream: whose
    tokens these are, where a fusion knows; explanations read it.
    """

    mask: Tensor
    rows: Tensor
    lengths: Tensor
    index: Tensor | None
    groups: tuple[Group, ...]
    stream: str = ""

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
        width = mask_BT.shape[1]
        lengths, rows = mask_BT.sum(dim=1).sort(stable=True)
        # One transfer to the host a batch: the sizes of the groups steer Python.
        host_lengths = lengths.tolist()
        if all(length == width for length in host_lengths):
            return cls.dense(len(mask_BT), width, mask_BT.device, stream)
        places_BT = rows[:, None] * width + torch.arange(width, device=mask_BT.device)
        groups: list[Group] = []
        start = 0
        for length, run in itertools.groupby(host_lengths):
            if length:
                groups.append(Group(start, len(list(run)), length))
                start = groups[-1].stop
        return cls(mask_BT, rows, lengths, places_BT[mask_BT[rows]], tuple(groups), stream)

    def pack(self, values: Tensor) -> Tensor:
        """(B, T, ...) -> (S, ...), the real tokens."""
        if values.shape[:2] != self.mask.shape:
            raise ValueError(
                f"values have shape {tuple(values.shape)}, expected {tuple(self.mask.shape)} first"
            )
        flat = values.flatten(0, 1)
        return flat if self.index is None else flat.index_select(0, self.index)

    def unpack(self, values: Tensor) -> Tensor:
        """(S, ...) -> (B, T, ...), zero in the padding."""
        if self.index is not None:
            flat = values.new_zeros(self.mask.numel(), *values.shape[1:])
            values = flat.index_copy(0, self.index, values)
        return values.view(*self.mask.shape, *values.shape[1:])

    def positions(self) -> Tensor:
        """(S,) the number of real tokens before each token of its row."""
        if self.index is None:
            rows, length = self.mask.shape
            return torch.arange(length, device=self.mask.device).repeat(rows)
        return self.pack(self.mask.cumsum(dim=1) - 1)

    @cached_property
    def bounds(self) -> Tensor:
        """(B + 1,) int32: where in packed order each sequence begins, and where the last one ends."""
        return F.pad(self.lengths.cumsum(0), (1, 0)).to(torch.int32)

    @property
    def count(self) -> int:
        """S, how many real tokens there are."""
        return self.mask.numel() if self.index is None else len(self.index)

    def by_row(self, values_B: Tensor) -> Tensor:
        """(B,) in packed order -> in the order of the batch."""
        return torch.empty_like(values_B).index_copy_(0, self.rows, values_B)

    def spread(self, values_B: Tensor) -> Tensor:
        """(B,) -> (S,), each row's value at each of its tokens."""
        return values_B[self.rows].repeat_interleave(self.lengths)
