"""A control: exchanges the values of a column, so that they no longer describe their rows."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.formats import Dataset, columns_of


class Exchanged(Sequence[Sample]):
    """The rows of `dataset`, with each value of a column replaced by another value."""

    def __init__(self, dataset: Dataset, column: str, other: Mapping[str, str]) -> None:
        """other: value -> its replacement."""
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
    """Replaces each value of the column by the next one in a random cycle through the values of all rows. No value
    stays.

    seed: draws the cycle. every: all rows, whatever their split. Raises WeftError if the column holds no texts, or
    fewer than two different ones.
    """
    found = {sample.items[column] for sample in every if isinstance(sample.items.get(column), str)}
    if len(found) < 2:
        raise WeftError(
            f"{where}: column '{column}' has {len(found)} different texts, expected two or more to exchange"
        )
    values = sorted(found)
    random.Random(seed).shuffle(values)
    return Exchanged(dataset, column, dict(zip(values, values[1:] + values[:1], strict=True)))
