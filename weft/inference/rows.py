"""Reads a data set's rows in batches, in order; each row is read once for all models."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.memory import return_free_memory
from weft.core.once import once
from weft.core.progress import progress
from weft.core.records import Batch
from weft.core.samples import Sample
from weft.data.ahead import batches, bytes_of, loaded_ahead
from weft.data.columns import Source, TargetSource, row_of
from weft.data.formats import Dataset
from weft.data.loader import OBJECTIVES, LoadedRow, collate_rows
from weft.data.sampler import Draw, row_seed
from weft.inference.config import InferenceConfig
from weft.inference.member import Member

Check = Callable[[Sample], object]
"""Raises DataError for a row without the value that a metric needs."""

PREFETCHED_BATCHES = 2


@dataclass(frozen=True)
class Reading:
    """How rows are read: the sources of streams and targets, and the evaluation view."""

    sources: Mapping[str, Source]
    view: int = 0

    @classmethod
    def of(cls, member: Member, dataset: Dataset, names: Sequence[str], view: int = 0) -> "Reading":
        """The member's streams and targets with these names.

        Raises WeftError for a name that is neither a stream nor a target of the member.
        """
        return cls({name: _source(member, dataset, name) for name in names}, view)


@dataclass(frozen=True)
class Selection:
    """The rows that are read.

    rows: lists of row numbers; from each list the first row is read that can be read and has one of the streams.
    None: every row. check: see `Check`.
    """

    rows: Sequence[Sequence[int]] | None = None
    check: Check | None = None


@dataclass(frozen=True)
class Rows:
    """R rows. numbers: their row numbers in the data set. batches: one batch per reading."""

    numbers: Sequence[int]
    batches: Sequence[Batch]


def read_rows(
    readings: Sequence[Reading],
    dataset: Dataset,
    config: InferenceConfig,
    selection: Selection | None = None,
    *,
    device: torch.device | str = "cpu",
    what: str = "predicting",
) -> Iterator[Rows]:
    """Yields batches of the selected rows, or of all, one batch per reading.

    A row that one of the readings cannot read is left out of all, if the error policy allows it. Values that
    several readings share are read and decoded once. Raises WeftError if no row is left.
    """
    selected = selection or Selection()
    rows = [(row,) for row in range(len(dataset))] if selected.rows is None else selected.rows
    bad = config.errors.build(len(dataset))

    def load(alternatives: Sequence[int]) -> tuple[int, list[LoadedRow]] | None:
        found = None
        for row in alternatives:
            sample: Sample | None = None
            try:
                with once():
                    sample = row_of(dataset, row)
                    if selected.check is not None:
                        selected.check(sample)
                    found = row, [_loaded(reading, sample, row) for reading in readings]
            except DataError as error:
                bad.add(error, sample)
            else:
                if any(v is not None for one in found[1] for v in one.values.values()):
                    break
        return found

    ahead = PREFETCHED_BATCHES * config.batch_size
    loaded = loaded_ahead(load, rows, workers=config.workers, most=ahead)
    empty = True
    with progress(what, len(rows)) as advance:
        for batch in batches(loaded, most=config.batch_size, most_bytes=config.batch_bytes):
            read = [found for _, found in batch if found is not None]
            if read:
                collated = [
                    collate_rows([of_row[n] for _, of_row in read], reading.sources).to(device)
                    for n, reading in enumerate(readings)
                ]
                empty = False
                yield Rows([row for row, _ in read], collated)
                if holds_much(batch, config):
                    return_free_memory()  # decoding leaves holes: 600 sounds of 10 s held 350 MiB more
            advance(len(batch))
    if empty and bad.rows:
        last = bad.rows[-1]
        raise WeftError(
            f"none of the {len(rows):,} rows can be used; the last one: {last.source}: {last.reason}"
        )


def holds_much(batch: Sequence[tuple[Any, Any]], config: InferenceConfig) -> bool:
    """Whether the values of a batch come near the limit of bytes."""
    return 2 * bytes_of([value for _, value in batch]) > config.batch_bytes


def _loaded(reading: Reading, sample: Sample, row: int) -> LoadedRow:
    generator = torch.Generator()
    values = {
        name: source.load(row, train=False, generator=generator, view=reading.view)
        for name, source in reading.sources.items()
    }
    return LoadedRow(sample, row_seed(0, Draw(0, row), OBJECTIVES), values)


def _source(member: Member, dataset: Dataset, name: str) -> Source:
    if name in member.sources:
        return member.sources[name]
    if name not in member.targets:
        raise unknown_name("stream or target", name, [*member.sources, *member.targets])
    return TargetSource(dataset, member.targets[name])
