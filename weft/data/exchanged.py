"""A control: the values of a column are exchanged, so that they say nothing of the rows that have them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.formats import Dataset, columns_of


class Exchanged(Sequence[Sample]):
    """The rows of `dataset`, in which each value of a column is another one."""

    def __init__(self, dataset: Dataset, column: str, other: Mapping[str, str]) -> None:
        """other: value -> what stands in its place."""
        self.known_columns = columns_of(dataset)
        self._dataset, self._column, self._other = dataset, column, dict(other)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[index]
        value = sample.items.get(self._column)
        if value is None:
            return sample
        return replace(sample, items={**sample.items, self._column: self._other[value]})


def exchanged(dataset: Dataset, column: str, seed: int, every: Dataset, where: str) -> Exchanged:
    """The rows with a value of the column for each other one: a cycle through the values of all rows, drawn by the
    seed, so that none stays. every: all rows, whatever their split.

    Raises WeftError where the column holds something else than text, or no two values.
    """
    found = {sample.items[column] for sample in every if isinstance(sample.items.get(column), str)}
    if len(found) < 2:
        raise WeftError(
            f"{where}: column '{column}' has {len(found)} different texts, expected two or more to exchange"
        )
    values = sorted(found)
    random.Random(seed).shuffle(values)
    return Exchanged(dataset, column, dict(zip(values, values[1:] + values[:1], strict=True)))
