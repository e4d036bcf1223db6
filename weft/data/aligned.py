"""Lists that belong together item by item, such as a picture's sentences and their translations: a row for each item."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from weft.core.errors import DataError
from weft.core.samples import Sample
from weft.data.formats import Dataset, columns_of


class Aligned(Sequence[Sample]):
    """The rows of `dataset`, each as many times as the lists in `columns` have items, with one item of each.

    A column that a row lacks is lacking in all of them. They keep the row's group, so that a picture is in one split
    and counts once in a bootstrap; each matches itself alone. A row whose lists cannot be aligned is one that cannot
    be read.
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
        """How many rows it becomes; one of a row that cannot be read, which its reader will say."""
        try:
            return len(next(iter(self._lists(self._dataset[row]).values())))
        except DataError:
            return 1

    def _lists(self, sample: Sample) -> dict[str, list[Any]]:
        """Column -> its items. Raises DataError where there is none, or they are not as many in all columns."""
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
