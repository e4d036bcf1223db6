"""Which rows are in the batch of step n, and their random numbers: pure functions of (seed, n)."""

import functools
import hashlib
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class Draw(NamedTuple):
    """Row number `row` of the data set as it is seen in `epoch`."""

    epoch: int
    row: int


class Sampler(Protocol):
    """The rows of the global batch at each step, and nothing else."""

    @property
    def steps_per_epoch(self) -> int: ...

    def draws(self, step: int) -> list[Draw]: ...


@dataclass(frozen=True)
class ShuffledSampler:
    """Training: a window of B rows that moves along the endless sequence of epoch permutations.

    Step n holds the positions n B to (n + 1) B - 1 of permutation(0), permutation(1), ... put one
    after the other, so that every row is seen once an epoch, nothing is dropped, and a data set
    smaller than the batch repeats.
    """

    rows: int
    batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every row has been seen."""
        return -(-self.rows // self.batch_size)

    def draws(self, step: int) -> list[Draw]:
        if step < 0:
            raise ValueError(f"step is {step}, expected 0 or more")
        positions = range(step * self.batch_size, (step + 1) * self.batch_size)
        pairs = [divmod(position, self.rows) for position in positions]
        return [Draw(e, int(permutation(self.seed, e, self.rows)[place])) for e, place in pairs]


@dataclass(frozen=True)
class OrderedSampler:
    """Evaluation: every row once, in the order of the data set; the last batch may be short."""

    rows: int
    batch_size: int

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.rows // self.batch_size)

    def draws(self, step: int) -> list[Draw]:
        if not 0 <= step < self.steps_per_epoch:
            raise ValueError(f"step is {step}, expected 0 to {self.steps_per_epoch - 1}")
        start = step * self.batch_size
        return [Draw(0, row) for row in range(start, min(start + self.batch_size, self.rows))]


@functools.lru_cache(maxsize=4)  # prefetching touches two epochs at once
def permutation(seed: int, epoch: int, rows: int) -> NDArray[np.int64]:
    """The order of all rows in `epoch`, read-only."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, epoch))))
    order = generator.permutation(rows)
    order.setflags(write=False)
    return order


def row_generator(seed: int, draw: Draw, stream: str) -> torch.Generator:
    """The random numbers of one stream of one row in one epoch.

    Each stream has its own, so that caching one stream's features does not change another's draws.
    """
    name = f"{seed}/{draw.epoch}/{draw.row}/{stream}"
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
