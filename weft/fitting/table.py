"""The rows that `weft fit` uses. They are read once, checked, and grouped into clusters that are never split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import DataError, WeftError
from weft.core.media import small_value
from weft.core.missing import is_missing
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.data.prepare.duplicates import like_pictures
from weft.data.prepare.engines import Processes, cores
from weft.data.prepare.near_duplicates import NearConfig
from weft.data.prepare.plan import clusters_of
from weft.data.prepare.scan import RowFacts, scan

Ints = NDArray[np.int64]
MOST_ALIKE = 0.5
"""Largest share of the rows that near duplicates may join in one cluster."""


@dataclass(frozen=True)
class Table(Sequence[Sample]):
    """N readable rows.

    clusters: (N,) rows with equal numbers have the same group, the same file or nearly the same picture. splits: of
    each row, from the data. bad: an error for each row that was left out.
    """

    samples: Sequence[Sample]
    clusters: Ints
    splits: Sequence[str | None]
    bad: Sequence[DataError] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> Sample:  # type: ignore[override]
        return self.samples[row]

    def values(self, column: str) -> list[Any]:
        """The column's value in each row; None if it is missing."""
        return [small_value(sample.items.get(column)) for sample in self.samples]

    def with_ids(self, column: str) -> "Table":
        """The same rows with an added item `column`: the row's id. The column of ids is otherwise no item of a row."""
        samples = [replace(s, items={**s.items, column: s.id}) for s in self.samples]
        return replace(self, samples=samples)

    def take(self, rows: Sequence[int]) -> "Table":
        """These rows, in this order."""
        return Table(
            [self.samples[row] for row in rows],
            self.clusters[list(rows)],
            [self.splits[row] for row in rows],
            self.bad,
        )


def read_table(
    dataset: Dataset,
    bad: Sequence[DataError] = (),
    *,
    workers: int | None = None,
) -> Table:
    """Reads every row once. Those that cannot be read are left out and named in `bad`.

    bad: rows that the reader of the format left out. Raises WeftError if no row is left.
    """
    facts = scan(dataset, engine=Processes(cores(workers)), progress=True)
    good = [row for row, fact in enumerate(facts) if fact.error is None]
    problems = [*bad, *(DataError(f.error, source=f.source) for f in facts if f.error is not None)]
    if not good:
        reason = f": {problems[0]}" if problems else ""
        raise WeftError(f"none of the {len(facts)} rows can be used{reason}")
    usable = [facts[row] for row in good]
    samples = [_without_missing(dataset[row]) for row in good]
    return Table(samples, _clusters(usable), [fact.split for fact in usable], problems)


def _without_missing(sample: Sample) -> Sample:
    """The row without its missing values."""
    there = {name: value for name, value in sample.items.items() if not is_missing(value)}
    return sample if len(there) == len(sample.items) else replace(sample, items=there)


def _clusters(facts: Sequence[RowFacts]) -> Ints:
    near = clusters_of(facts, like_pictures(facts, NearConfig(), [True] * len(facts)))
    exact = clusters_of(facts, {})
    # In some data all pictures look alike, such as drawings. If near duplicates would join most rows in one cluster,
    # they are ignored.
    labels = near if _largest(near) <= max(MOST_ALIKE, _largest(exact)) else exact
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _largest(labels: NDArray[np.intp]) -> float:
    """The share of the rows in the largest cluster."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))
