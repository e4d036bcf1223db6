"""The training loader: map-style; the batch at step n is a pure function of (seed, n).

It does not depend on the number of worker threads or ranks, or on earlier steps. So exact resume is arithmetic
(`loader.batches(start=n)`), and two ranks together see what one rank would see. Threads suffice, because decoding and
resizing release the interpreter's lock.
"""

import collections
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from weft.core.errors import DataError, WeftError
from weft.core.language import say
from weft.core.once import once
from weft.core.records import Batch, Features, Field
from weft.core.samples import Sample, group_key
from weft.data.ahead import AHEAD_BYTES, bytes_of
from weft.data.columns import ReadsSamples, Source, draws_of, row_of
from weft.data.formats import Dataset
from weft.data.mixing import OTHER, RATIO
from weft.data.policy import BadRow, BadRows, ErrorPolicy
from weft.data.row_changes import RowChanges
from weft.data.sampler import (
    Draw,
    Sampler,
    ShuffledSampler,
    row_generator,
    row_seed,
)
from weft.data.splicing import DRAWS as SPLICE

log = logging.getLogger("weft.data")
PREFETCH = 2
"""Number of batches that are prepared ahead, if they fit into AHEAD_BYTES."""
OBJECTIVES = "/objectives"
"""Names the random numbers of a row from which objectives draw. The slash keeps it apart from stream names."""


class LoadedRow(NamedTuple):
    """A row with the value of each source."""

    sample: Sample
    seed: int
    values: dict[str, Any]


def collate_rows(
    rows: Sequence[LoadedRow],
    sources: Mapping[str, Source],
    absent: Callable[[str], Field | Features | None] = lambda _: None,
) -> Batch:
    """Collates one or more rows into a batch. absent: gives the batch's value of a stream that no row has."""
    collated: dict[str, Field | Features | Tensor | None] = {}
    for name, source in sources.items():
        found = source.collate([row.values[name] for row in rows])
        collated[name] = absent(name) if found is None else found
    if RATIO in rows[0].values:
        collated[RATIO] = torch.tensor([row.values[RATIO] for row in rows])
        for name in [name for name, found in collated.items() if isinstance(found, Tensor)]:
            if name != RATIO:
                collated[OTHER + name] = cast(
                    Tensor, sources[name].collate([row.values[OTHER][name] for row in rows])
                )
    samples = [row.sample for row in rows]
    return Batch(
        inputs={n: v for n, v in collated.items() if isinstance(v, Field | Features)},
        targets={n: v for n, v in collated.items() if isinstance(v, Tensor)},
        ids=tuple(sample.id for sample in samples),
        groups=_keys(sample.group for sample in samples),
        matches=_keys(sample.match_name for sample in samples),
        seeds=torch.tensor([row.seed for row in rows], dtype=torch.int64),
    )


class Loader:
    """Batches of `dataset`, one input or target for each of `sources`: shuffled, augmented, endless.

    batch_size: B of the global batch, over all ranks together. seed: 0 or more. workers: threads that read ahead; 0
    reads in the caller's thread. errors: the policy for unreadable rows. A row that is left out is replaced by the
    next row of the data set. sampler: chooses the rows of each batch, with the same batch_size and seed; by default
    shuffled. changes: changes to rows beyond those of their modalities.
    """

    def __init__(
        self,
        dataset: Dataset,
        sources: Mapping[str, Source],
        *,
        batch_size: int,
        seed: int,
        workers: int = 2,
        rank: int = 0,
        world_size: int = 1,
        errors: ErrorPolicy | None = None,
        sampler: Sampler | None = None,
        changes: RowChanges | None = None,
    ) -> None:
        _check(len(dataset), batch_size, seed, workers, rank, world_size)
        if batch_size % world_size:
            raise ValueError(f"batch_size {batch_size} is not a multiple of the {world_size} ranks")
        self._dataset = dataset
        self._sources = dict(sources)
        self._seed = seed
        self._workers = workers
        self._rank = rank
        self._world_size = world_size
        self._bad: BadRows = (errors or ErrorPolicy()).build(
            len(dataset), option="--data.errors.mode"
        )
        self._bad_indices: set[int] = set()
        self._changes = changes or RowChanges()
        self._said_of_parts = False
        self._examples: dict[str, Field | Features | None] = {}
        self._sampler = sampler or ShuffledSampler(len(dataset), batch_size, seed)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every row has been seen once."""
        return self._sampler.steps_per_epoch

    @property
    def bad(self) -> list[BadRow]:
        """Returns the rows that could not be used so far, each once."""
        return self._bad.rows

    def batch(self, step: int) -> Batch:
        """Returns this rank's rows of the global batch at `step`, in rank order."""
        return self._collate(self._load(draw) for draw in self._share(step))

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """Yields batch(start), ..., batch(stop - 1). The worker threads read ahead."""
        if self._workers == 0:
            yield from map(self.batch, range(start, stop))
            return
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="weft-loader")
        pending: collections.deque[Future[Batch]] = collections.deque()
        ahead, allowed = iter(range(start, stop)), 0
        try:
            while True:
                room = max(1, allowed) - len(pending)
                for step in itertools.islice(ahead, max(0, room)):
                    pending.append(self._submit(pool, step))
                if not pending:
                    return
                batch = pending.popleft().result()
                allowed = min(PREFETCH, AHEAD_BYTES // max(1, _bytes(batch)))
                for step in itertools.islice(ahead, max(0, allowed - len(pending))):
                    pending.append(self._submit(pool, step))
                yield batch
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, pool: ThreadPoolExecutor, step: int) -> "Future[Batch]":
        """Submits one task for each row, then one that collates them.

        The pool starts tasks in order. When the last task starts and waits, all rows of the batch are done or running
        on other threads, so it cannot wait for itself.
        """
        rows = [pool.submit(self._load, draw) for draw in self._share(step)]
        return pool.submit(lambda: self._collate(row.result() for row in rows))

    def _share(self, step: int) -> list[Draw]:
        draws = self._sampler.draws(step)
        first = self._rank * len(draws) // self._world_size
        return draws[first : (self._rank + 1) * len(draws) // self._world_size]

    def _load(self, draw: Draw) -> LoadedRow:
        """Loads the row of `draw`, or the next good row if it is bad."""
        for offset in range(len(self._dataset)):
            index = (draw.row + offset) % len(self._dataset)
            if index in self._bad_indices:
                continue
            sample: Sample | None = None
            try:
                with once():
                    sample = row_of(self._dataset, index)
                    return self._read(sample, Draw(draw.epoch, index))
            except DataError as error:
                self._bad.add(error, sample)
                self._bad_indices.add(index)
        raise WeftError(f"none of the {len(self._dataset)} rows can be read")

    def _read(self, sample: Sample, draw: Draw) -> LoadedRow:
        sample, values = self._spliced(sample, draw)
        values = self._changes.changed(
            values,
            lambda name: row_generator(self._seed, draw, name),
            lambda row: self._values(draw, row),
        )
        return LoadedRow(sample, row_seed(self._seed, draw, OBJECTIVES), values)

    def _spliced(self, sample: Sample, draw: Draw) -> tuple[Sample, dict[str, Any]]:
        """Returns the row and its values, or a row spliced from parts of several.

        If a part cannot be read, the row stays as it is; the first such case is logged.
        """
        splicing = self._changes.splicing
        if splicing is not None:
            generator = row_generator(self._seed, draw, SPLICE)
            spliced = splicing(sample, generator, lambda row: row_of(self._dataset, row))
            try:
                if spliced is not None:
                    return spliced, self._values_of(spliced, draw)
            except DataError as error:
                if not self._said_of_parts:
                    self._said_of_parts = True
                    log.warning(
                        "%s",
                        say(
                            f"a row is not spliced, because one of its parts cannot be read: {error}"
                        ),
                    )
        return sample, self._values(draw)

    def _values_of(self, spliced: Sample, draw: Draw) -> dict[str, Any]:
        """Returns the value of each source for a row that is not in the data set."""
        return {
            name: cast(ReadsSamples, source).read(
                spliced, row_generator(self._seed, draw, draws_of(name, source))
            )
            for name, source in self._sources.items()
        }

    def _values(self, draw: Draw, row: int | None = None) -> dict[str, Any]:
        """Returns the value of each source for the row, by default that of the draw."""
        return {
            name: source.load(
                draw.row if row is None else row,
                train=True,
                generator=row_generator(self._seed, draw, draws_of(name, source)),
                view=0,
            )
            for name, source in self._sources.items()
        }

    def _collate(self, loaded: Iterable[LoadedRow]) -> Batch:
        rows = list(loaded)
        return collate_rows(rows, self._sources, lambda name: self._absent(name, len(rows)))

    def _absent(self, name: str, rows: int) -> Field | Features | None:
        """Returns the input for a stream that no row of this batch has; None if no row of the data set has it.

        The batch holds the stream nevertheless, so that this rank takes part in the collective computation of the
        others.
        """
        if name not in self._examples:
            self._examples[name] = self._example(name)
        example = self._examples[name]
        return None if example is None else example.rows(slice(0)).spread(torch.arange(0), rows)

    def _example(self, name: str) -> Field | Features | None:
        """Returns the stream of the first readable row that has it."""
        source, generator = self._sources[name], torch.Generator()
        for index in range(len(self._dataset)):
            try:
                value = source.load(index, train=False, generator=generator, view=0)
            except DataError:
                continue
            found = None if value is None else source.collate([value])
            if isinstance(found, Field | Features):
                return found
        return None


def _keys(names: Iterable[str]) -> Tensor:
    return torch.tensor([group_key(name) for name in names], dtype=torch.int64)


def _bytes(batch: Batch) -> int:
    fields = [list(vars(value).values()) for value in batch.inputs.values()]
    return bytes_of([fields, list(batch.targets.values())])


def _check(rows: int, batch_size: int, seed: int, workers: int, rank: int, world_size: int) -> None:
    """Raises ValueError for a number out of range."""
    ranges: list[tuple[str, int, Callable[[int], bool], str]] = [
        ("number of rows", rows, lambda n: n > 0, "1 or more"),
        ("batch_size", batch_size, lambda n: n > 0, "1 or more"),
        ("seed", seed, lambda n: n >= 0, "0 or more"),
        ("workers", workers, lambda n: n >= 0, "0 or more"),
        ("world_size", world_size, lambda n: n > 0, "1 or more"),
        ("rank", rank, lambda n: 0 <= n < world_size, f"0 to {world_size - 1}"),
    ]
    for name, value, fits, expected in ranges:
        if not fits(value):
            raise ValueError(f"{name} is {value}, expected {expected}")
