"""Rows in which one column replaces another."""

from collections.abc import Sequence
from dataclasses import replace

from weft.core.samples import Sample
from weft.data.formats import Dataset, columns_of


class OtherColumn(Sequence[Sample]):
    """The rows of `dataset`, with the value of `column` as `name`. A row without `column` has no `name`."""

    def __init__(self, dataset: Dataset, name: str, column: str) -> None:
        self.known_columns = columns_of(dataset)
        self._dataset, self._name, self._column = dataset, name, column

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[index]
        items = {name: value for name, value in sample.items.items() if name != self._name}
        if self._column in sample.items:
            items[self._name] = sample.items[self._column]
        return replace(sample, items=items)
