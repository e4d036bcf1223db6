"""The records of the pipeline: frozen dataclasses that only hold and check values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.draws import normal, uniform


@dataclass(frozen=True)
class Field:
    """One padded stream of a batch.

    values: (B, ...), for token streams (B, T) or (B, T, D); images are uint8 (B, C, H, W). mask: (B, T) bool, True
    where real; None if nothing is padded. present: (B,) bool, False where the sample lacks this modality; None if
    all samples have it.
    """

    values: Tensor
    mask: Tensor | None = None
    present: Tensor | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            if self.mask.dtype != torch.bool:
                raise ValueError(f"mask has dtype {self.mask.dtype}, expected torch.bool")
            if self.mask.shape != self.values.shape[:2]:
                raise ValueError(
                    f"mask has shape {tuple(self.mask.shape)}, expected {tuple(self.values.shape[:2])} "
                    f"for values of shape {tuple(self.values.shape)}"
                )
        if self.present is not None and self.present.shape != self.values.shape[:1]:
            raise ValueError(
                f"present has shape {tuple(self.present.shape)}, expected ({len(self)},)"
            )

    def __len__(self) -> int:
        return self.values.shape[0]

    @property
    def real(self) -> Tensor:
        """(B, T) the mask; all True if there is none."""
        if self.mask is not None:
            return self.mask
        return torch.ones(self.values.shape[:2], dtype=torch.bool, device=self.values.device)

    def to(self, device: torch.device | str) -> "Field":
        return Field(
            self.values.to(device, non_blocking=True),
            None if self.mask is None else self.mask.to(device, non_blocking=True),
            None if self.present is None else self.present.to(device, non_blocking=True),
        )

    def rows(self, part: slice) -> "Field":
        """Some of the rows, as views with the same padding."""
        return Field(
            self.values[part],
            None if self.mask is None else self.mask[part],
            None if self.present is None else self.present[part],
        )

    def take(self, index_R: Tensor) -> "Field":
        """The rows with these indices (R,), in this order; an index may occur several times."""
        return Field(
            self.values[index_R],
            None if self.mask is None else self.mask[index_R],
            None if self.present is None else self.present[index_R],
        )

    def spread(self, index_R: Tensor, rows: int) -> "Field":
        """A field of `rows` rows: row index_R[r] is this field's row r; all other rows are zeros and not present.

        The inverse of `take`.
        """
        there = self.values.new_ones(len(self), dtype=torch.bool)
        return Field(
            _spread(self.values, index_R, rows),
            None if self.mask is None else _spread(self.mask, index_R, rows),
            _spread(there if self.present is None else self.present, index_R, rows),
        )


@dataclass(frozen=True)
class Features:
    """The output of every encoder and every fusion.

    tokens: (B, T, D); mask: (B, T) bool, True where real; pooled: (B, D), one vector per sample.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3 or self.mask.shape != self.tokens.shape[:2]:
            raise ValueError(
                f"tokens (B, T, D) and mask (B, T) disagree: {tuple(self.tokens.shape)}, {tuple(self.mask.shape)}"
            )
        if self.pooled.ndim != 2 or self.pooled.shape[0] != self.tokens.shape[0]:
            raise ValueError(
                f"pooled has shape {tuple(self.pooled.shape)}, expected ({self.tokens.shape[0]}, D)"
            )

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def to(self, device: torch.device | str) -> "Features":
        return Features(
            self.tokens.to(device, non_blocking=True),
            self.mask.to(device, non_blocking=True),
            self.pooled.to(device, non_blocking=True),
        )

    def rows(self, part: slice) -> "Features":
        """Some of the rows, as views with the same padding."""
        return Features(self.tokens[part], self.mask[part], self.pooled[part])

    @property
    def present(self) -> Tensor:
        """(B,) True where the row has the stream, that is at least one token of it."""
        return self.mask.any(dim=1)

    def take(self, index_R: Tensor) -> "Features":
        """The rows with these indices (R,), in this order; an index may occur several times."""
        return Features(self.tokens[index_R], self.mask[index_R], self.pooled[index_R])

    def spread(self, index_R: Tensor, rows: int) -> "Features":
        """Features of `rows` rows: row index_R[r] is row r of these; all other rows have no tokens.

        The inverse of `take`: missing rows are zeros with a mask that is all False.
        """
        tensors = (self.tokens, self.mask, self.pooled)
        return Features(*(_spread(values, index_R, rows) for values in tensors))

    def where(self, present_B: Tensor) -> "Features":
        """The features with rows that are not present emptied: no tokens, and a pooled vector of zeros."""
        pooled = self.pooled.masked_fill(~present_B[:, None], 0)
        return Features(self.tokens, self.mask & present_B[:, None], pooled)

    @classmethod
    def absent(cls, rows: int, dim: int, device: torch.device | str = "cpu") -> "Features":
        """Features of `rows` rows that all lack the stream: no tokens."""
        return cls(
            torch.zeros(rows, 0, dim, device=device),
            torch.zeros(rows, 0, dtype=torch.bool, device=device),
            torch.zeros(rows, dim, device=device),
        )

    @classmethod
    def join(cls, parts: Sequence["Features"]) -> "Features":
        """The rows of all parts in order, padded with zeros to the longest part."""
        if len(parts) == 1:
            return parts[0]
        width = max(part.tokens.shape[1] for part in parts)
        tokens = [F.pad(part.tokens, (0, 0, 0, width - part.tokens.shape[1])) for part in parts]
        masks = [F.pad(part.mask, (0, width - part.mask.shape[1])) for part in parts]
        return cls(torch.cat(tokens), torch.cat(masks), torch.cat([p.pooled for p in parts]))


@dataclass(frozen=True)
class Batch:
    """The only batch type.

    inputs: stream -> Field, or Features if a frozen encoder's output was cached. targets: name -> (B, ...) tensor.
    ids: B sample ids. groups: (B,) int64 (see `group_key`). matches: (B,) int64; rows with the same number are
    correct answers to each other; None: the groups. seeds: (B,) int64, from which objectives draw random numbers
    for a row (see `weft.core.draws`). The loader computes them from the run's seed, the epoch and the row. If not
    given, they come from torch's global generator.
    """

    inputs: Mapping[str, Field | Features]
    ids: Sequence[str]
    groups: Tensor
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    matches: Tensor | None = None
    seeds: Tensor | None = None

    def __post_init__(self) -> None:
        sizes = {f"inputs[{name}]": len(value) for name, value in self.inputs.items()}
        sizes |= {f"targets[{name}]": len(value) for name, value in self.targets.items()}
        sizes |= {"groups": len(self.groups), "matches": len(self.match_keys)}
        sizes |= {} if self.seeds is None else {"seeds": len(self.seeds)}
        for name, size in sizes.items():
            if size != len(self.ids):
                raise ValueError(f"{name} has {size} rows, expected {len(self.ids)} (one an id)")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def match_keys(self) -> Tensor:
        """(B,) int64: `matches`, or the groups if it is None."""
        return self.groups if self.matches is None else self.matches

    def to(self, device: torch.device | str) -> "Batch":
        return replace(
            self,
            inputs={name: value.to(device) for name, value in self.inputs.items()},
            targets={
                name: value.to(device, non_blocking=True) for name, value in self.targets.items()
            },
            groups=self.groups.to(device, non_blocking=True),
            matches=None if self.matches is None else self.matches.to(device, non_blocking=True),
            seeds=None if self.seeds is None else self.seeds.to(device, non_blocking=True),
        )

    def rows(self, part: slice) -> "Batch":
        """Some of the rows, as views."""
        return replace(
            self,
            inputs={name: value.rows(part) for name, value in self.inputs.items()},
            targets={name: value[part] for name, value in self.targets.items()},
            ids=self.ids[part],
            groups=self.groups[part],
            matches=None if self.matches is None else self.matches[part],
            seeds=None if self.seeds is None else self.seeds[part],
        )

    def take(self, index_R: Tensor) -> "Batch":
        """The rows with these indices (R,), in this order; an index may occur several times."""
        numbers: Sequence[int] = index_R.tolist()
        return replace(
            self,
            inputs={name: value.take(index_R) for name, value in self.inputs.items()},
            targets={name: value[index_R] for name, value in self.targets.items()},
            ids=[self.ids[number] for number in numbers],
            groups=self.groups[index_R],
            matches=None if self.matches is None else self.matches[index_R],
            seeds=None if self.seeds is None else self.seeds[index_R],
        )

    def present(self, every: Sequence[str], some: Sequence[str] = ()) -> Tensor | None:
        """(B,) True where the row has all streams of `every` and, if `some` is not empty, at least one of `some`.

        None if all rows have them, which is the case for every Field without `present`.
        """
        all_of = [there for there in map(self._has, every) if there is not None]
        any_of = [self._has(stream) for stream in some]
        known = [there for there in any_of if there is not None]
        if some and len(known) == len(any_of):
            all_of.append(torch.stack(known).any(dim=0))
        return torch.stack(all_of).all(dim=0) if all_of else None

    def _has(self, stream: str) -> Tensor | None:
        """(B,) True where the row has the stream; None if all rows have it."""
        value = self.inputs.get(stream)
        if value is None:
            return torch.zeros(len(self), dtype=torch.bool, device=self.groups.device)
        return value.present

    def uniform(self, name: str, *shape: int) -> Tensor:
        """(B, *shape) random numbers in [0, 1) for the rows. name: the purpose of the numbers."""
        return uniform(self._seeds(), name, *shape)

    def normal(self, name: str, *shape: int) -> Tensor:
        """(B, *shape) random numbers of the standard normal distribution; see `uniform`."""
        return normal(self._seeds(), name, *shape)

    def _seeds(self) -> Tensor:
        if self.seeds is not None:
            return self.seeds
        return torch.randint(2**62, (len(self),), device=self.groups.device)

    def with_inputs(self, **inputs: Field | Features) -> "Batch":
        return replace(self, inputs={**self.inputs, **inputs})


def _spread(values_R: Tensor, index_R: Tensor, rows: int) -> Tensor:
    return values_R.new_zeros(rows, *values_R.shape[1:]).index_copy(0, index_R, values_R)


ACCURACY = "accuracy"
"""The name of a loss term that is the share of correct answers in the batch, in [0, 1]."""


@dataclass(frozen=True)
class Loss:
    """total: the scalar to differentiate. terms: detached scalars to log, by name; the term `ACCURACY` is the share
    of correct answers in the batch.

    Each of several ranks returns its share, so that the mean over ranks is the value of the whole batch (see
    `weft.core.distributed.mean_of_all`).
    """

    total: Tensor
    terms: Mapping[str, Tensor]
