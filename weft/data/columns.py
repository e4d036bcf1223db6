"""One column of a data set's rows, as a stream or a target of a batch."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from weft.core.errors import DataError, NoTargetError, WeftError
from weft.core.interfaces import MayLack, Modality, ReadsColumns, SharedDraws, Target, views_of
from weft.core.media import Alternatives, small_value
from weft.core.missing import is_missing
from weft.core.once import kept
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.data.presence import collate_present


class Source(Protocol):
    """How one stream of one row becomes batch input (a Field or Features) or a target (a Tensor)."""

    def load(self, index: int, *, train: bool, generator: torch.Generator, view: int) -> Any:
        """Loads the row's value, ready for collating. Raises WeftError if the row is unusable."""
        ...

    def collate(self, items: Sequence[Any]) -> Field | Features | Tensor | None:
        """Collates the values of several rows; None if the batch shall lack the stream."""
        ...


class ModalitySource:
    """The stream `key` of a data set, decoded and transformed by `modality`.

    optional: a row may lack the stream. The batch then marks it as not present, without an error.
    """

    def __init__(
        self, dataset: Dataset, key: str, modality: Modality, *, optional: bool = False
    ) -> None:
        self.dataset = dataset
        self.key = key
        self.modality = modality
        self.optional = optional

    def __len__(self) -> int:
        return len(self.dataset)

    def raw(self, index: int) -> Any:
        """Returns the raw value of row `index`."""
        return self._raw(row_of(self.dataset, index))

    def _raw(self, sample: Sample) -> Any:
        """Raises DataError that names the columns which the row has instead."""
        found = value_of(sample, self.key, self.modality)
        if found is None:
            raise _lacking(sample, self.key, self.modality)
        return found

    def views(self, index: int) -> int:
        """Returns the number of fixed views of row `index`: one for each of several captions."""
        sample = row_of(self.dataset, index)
        return 1 if self.lacks(sample) else _views(self._raw(sample), self.modality)

    def lacks(self, sample: Sample) -> bool:
        """Whether the stream is optional and the row lacks it."""
        return self.optional and value_of(sample, self.key, self.modality) is None

    def load(
        self, index: int, *, train: bool, generator: torch.Generator, view: int
    ) -> Tensor | None:
        """Returns the transformed row, or None if the row lacks an optional stream. A view that does not exist
        becomes view 0.

        Within `once` each row is decoded once, and transformed once for each evaluation view.
        """
        sample = row_of(self.dataset, index)
        key = (id(self.dataset), index, self.key, id(self.modality))

        def transformed(raw: Any) -> Tensor:
            place = view if view < _views(raw, self.modality) else 0
            item = kept(key, lambda: self.modality.decode(raw))
            return self.modality.transform(item, train=train, generator=generator, view=place)

        if train:
            return self._of(sample, transformed)
        return self._of(sample, lambda raw: kept((*key, view), lambda: transformed(raw)))

    def read(self, sample: Sample, generator: torch.Generator) -> Tensor | None:
        """Reads a training row that is not in the data set, such as a row spliced from several."""
        modality = self.modality
        return self._of(
            sample,
            lambda raw: modality.transform(modality.decode(raw), train=True, generator=generator),
        )

    def _of(self, sample: Sample, transformed: Callable[[Any], Tensor]) -> Tensor | None:
        """Transforms the row's raw value. Raises DataError that names the row."""
        if self.lacks(sample):
            return None
        try:
            return transformed(self._raw(sample))
        except DataError:
            raise
        except WeftError as error:
            raise DataError(str(error), source=sample.source) from error

    def collate(self, items: Sequence[Tensor | None]) -> Field | Features | None:
        return collate_present(items, self.modality.collate)


@runtime_checkable
class ReadsSamples(Protocol):
    """A source that reads rows which are not in the data set."""

    def read(self, sample: Sample, generator: torch.Generator) -> Any:
        """Reads the row's training value, ready for collating. Raises WeftError if it is unusable."""
        ...


def draws_of(name: str, source: Source) -> str:
    """Returns the name under which the source draws random numbers: its stream's, or a name that several streams
    share."""
    modality = source.modality if isinstance(source, ModalitySource) else None
    return modality.draws if isinstance(modality, SharedDraws) else name


class TargetSource:
    """A column of a data set as `target` reads it."""

    def __init__(self, dataset: Dataset, target: Target) -> None:
        self._dataset = dataset
        self._target = target

    def load(self, index: int, *, train: bool, generator: torch.Generator, view: int) -> Any:  # noqa: ARG002
        """Returns the row's target, the same in every view. Raises NoTargetError if it has none."""
        return self.read(row_of(self._dataset, index), generator)

    def read(self, sample: Sample, generator: torch.Generator) -> Any:  # noqa: ARG002
        """Returns the target of a row, which need not be in the data set."""
        raw = sample.items.get(self._target.column)
        if raw is None and isinstance(self._target, MayLack):
            return self._target.nothing
        if raw is None:
            known = ", ".join(sample.items) or "nothing"
            raise NoTargetError(
                f"has no '{self._target.column}', it has: {known}", source=sample.source
            )
        try:
            return self._target.read(small_value(raw))
        except DataError:
            raise
        except WeftError as error:
            raise DataError(str(error), source=sample.source) from error

    def collate(self, items: Sequence[Any]) -> Tensor:
        return self._target.collate(items)


def row_of(dataset: Dataset, index: int) -> Sample:
    """Returns the row. Within `once` it is opened only once. Raises DataError."""
    return kept((id(dataset), index), lambda: dataset[index])


def item_of(sample: Sample, key: str) -> Any:
    """Returns `sample.items[key]`. Raises DataError that names the columns which the row has instead."""
    if sample.items.get(key) is None:
        raise _lacking(sample, key, None)
    return sample.items[key]


def value_of(sample: Sample, stream: str, modality: object) -> Any:
    """Returns the raw value of a stream: the item of its name, or for a modality that `ReadsColumns` a dict of those
    columns. None if the row has none."""
    found = sample.items.get(stream)
    if found is not None or not isinstance(modality, ReadsColumns):
        return found
    values = {column: sample.items.get(column) for column in modality.columns}
    return None if all(map(is_missing, values.values())) else values


def _lacking(sample: Sample, key: str, modality: object) -> DataError:
    known = ", ".join(sample.items) or "nothing"
    what = f"no '{key}'"
    if isinstance(modality, ReadsColumns):
        what = f"none of {', '.join(modality.columns)}"
    return DataError(f"has {what}, it has: {known}", source=sample.source)


def _views(raw: Any, modality: Modality) -> int:
    return len(raw) if isinstance(raw, Alternatives) else views_of(modality)
