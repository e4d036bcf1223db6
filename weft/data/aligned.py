"""Rows with parallel lists, such as a picture's sentences and their translations, become one row for each list
position."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from weft.core.errors import DataError
from weft.core.samples import Sample
from weft.data.formats import Dataset, columns_of


class Aligned(Sequence[Sample]):
    """The rows of `dataset`, each repeated once for every position of the lists in `columns`, with that position's
    values.

    A row that lacks a column lacks it in all its copies. The copies keep the row's group, so a picture stays in one
    split and counts once in a bootstrap. Each copy matches only itself. A row whose lists have different lengths
    counts as unreadable.
    """

    def __init__(self, dataset: Dataset, columns: Sequence[str]) -> None:
        self.known_columns = columns_of(dataset)
        self._dataset, self._columns = dataset, tuple(columns)
        self._places = [
            (row, item) for row in range(len(dataset)) for item in range(self._count(row))
        ]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        row, item = self._places[index]
        sample = self._dataset[row]
        chosen = {column: values[item] for column, values in self._lists(sample).items()}
        name = f"{sample.id}#{item}"
        return replace(sample, id=name, match=name, items={**sample.items, **chosen})

    def _count(self, row: int) -> int:
        """Returns the number of copies of a row. An unreadable row counts as one; its reader reports the error."""
        try:
            return len(next(iter(self._lists(self._dataset[row]).values())))
        except DataError:
            return 1

    def _lists(self, sample: Sample) -> dict[str, list[Any]]:
        """Maps columns to their lists. Raises DataError if the row has none of them, or if the lengths differ."""
        found = {c: sample.items[c] for c in self._columns if sample.items.get(c) is not None}
        for column, value in found.items():
            if not isinstance(value, list | tuple):
                raise DataError(
                    f"'{column}' is a {type(value).__name__}, expected a list whose items are aligned",
                    source=sample.source,
                )
        counts = {column: len(value) for column, value in found.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            told = ", ".join(f"{n} of '{column}'" for column, n in counts.items()) or "none"
            reason = f"has {told} in {', '.join(self._columns)}, expected as many items of each"
            raise DataError(reason, source=sample.source)
        return {column: list(value) for column, value in found.items()}
