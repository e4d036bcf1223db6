"""Which rows are in the batch of step n, and their random numbers; both are pure functions of (seed, n)."""

import functools
import hashlib
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class Draw(NamedTuple):
    """Row number `row` of the data set, seen in `epoch`."""

    epoch: int
    row: int


class Sampler(Protocol):
    """Chooses the rows of the global batch at each step."""

    @property
    def steps_per_epoch(self) -> int: ...

    def draws(self, step: int) -> list[Draw]: ...


@dataclass(frozen=True)
class ShuffledSampler:
    """Training: a window of B rows that moves along the endless sequence of epoch permutations.

    Step n holds positions n B to (n + 1) B - 1 of permutation(0), permutation(1), ... in sequence. So every row is
    seen once in each epoch, no row is dropped, and a data set smaller than the batch repeats.
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
class BucketedSampler:
    """Training on batches of similar lengths: the shuffled batches, rearranged inside windows.

    `window` consecutive batches of an epoch are sorted by length and cut into batches again. Then the order of the
    batches is shuffled. The rows of a batch return to their shuffled order, so that no rank gets all the long ones. A
    batch with the end of one epoch and the start of the next stays as it is. Rows of one length therefore meet at
    random, every row is seen once in each epoch, and computing the batch at step n needs only its window.

    lengths: one for each row, in any unit.
    """

    lengths: NDArray[np.int64]
    batch_size: int
    seed: int
    window: int

    @property
    def rows(self) -> int:
        return len(self.lengths)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every row has been seen."""
        return -(-self.rows // self.batch_size)

    def draws(self, step: int) -> list[Draw]:
        shuffled = ShuffledSampler(self.rows, self.batch_size, self.seed)
        epoch, place = divmod(step * self.batch_size, self.rows)
        if step < 0 or place + self.batch_size > self.rows:
            return shuffled.draws(step)
        first, stop = self._window(step, epoch)
        start = first * self.batch_size - epoch * self.rows
        size = (stop - first) * self.batch_size
        rows = permutation(self.seed, epoch, self.rows)[start : start + size]
        by_length = np.argsort(self.lengths[rows], kind="stable")
        batches = by_length.reshape(stop - first, self.batch_size)
        order = _generator(self.seed, epoch, 1 + first).permutation(len(batches))
        chosen = rows[np.sort(batches[order[step - first]])]
        return [Draw(epoch, int(row)) for row in chosen]

    def _window(self, step: int, epoch: int) -> tuple[int, int]:
        """Returns the first step of the window that holds `step`, and the step after its last one."""
        whole = -(-epoch * self.rows // self.batch_size)  # first batch of this epoch only
        first = step - (step - whole) % self.window
        last_whole = (epoch + 1) * self.rows // self.batch_size
        return first, min(first + self.window, last_whole)


class GroupedSampler:
    """Training on batches of whole groups: the shuffled groups in sequence, each with all its rows.

    Step n holds positions n B to (n + 1) B - 1 of that order, epoch after epoch, as in ShuffledSampler. A group at
    the edge of a batch is cut, unless all groups have the same size and it divides B.
    """

    def __init__(self, groups: NDArray[np.int64], batch_size: int, seed: int) -> None:
        """groups: the group of each row, as any numbers."""
        _, self._group_of = np.unique(groups, return_inverse=True)
        self._batch_size, self._seed = batch_size, seed
        # Prefetching uses two epochs at once.
        self._order = functools.lru_cache(maxsize=2)(self._ordered)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every row has been seen."""
        return -(-len(self._group_of) // self._batch_size)

    def draws(self, step: int) -> list[Draw]:
        if step < 0:
            raise ValueError(f"step is {step}, expected 0 or more")
        positions = range(step * self._batch_size, (step + 1) * self._batch_size)
        pairs = [divmod(position, len(self._group_of)) for position in positions]
        return [Draw(epoch, int(self._order(epoch)[place])) for epoch, place in pairs]

    def _ordered(self, epoch: int) -> NDArray[np.int64]:
        """Returns all rows, sorted by the position of their group in this epoch."""
        place_of_group = permutation(self._seed, epoch, int(self._group_of.max()) + 1)
        return np.argsort(place_of_group[self._group_of], kind="stable")


@functools.lru_cache(maxsize=4)  # prefetching touches two epochs at once
def permutation(seed: int, epoch: int, rows: int) -> NDArray[np.int64]:
    """Returns the order of all rows in `epoch`, read-only."""
    order = _generator(seed, epoch).permutation(rows)
    order.setflags(write=False)
    return order


def _generator(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def row_generator(seed: int, draw: Draw, stream: str) -> torch.Generator:
    """Returns the generator of one stream of one row in one epoch.

    Each stream has its own, so caching one stream's features does not change the draws of another.
    """
    return torch.Generator().manual_seed(row_seed(seed, draw, stream))


def row_seed(seed: int, draw: Draw, name: str) -> int:
    """Returns a 63-bit seed for one row in one epoch and for the purpose `name`."""
    key = f"{seed}/{draw.epoch}/{draw.row}/{name}"
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
