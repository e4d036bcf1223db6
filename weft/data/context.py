"""Context: values of the rows before and after a row in its group, such as neighbouring sentences of a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from weft.core.config import Settings
from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives
from weft.core.ranges import at_least, require
from weft.core.samples import Sample
from weft.data.formats import Dataset, columns_of

BEFORE, AFTER = "{}_before", "{}_after"
"""Names of the columns that hold the context of a column."""


@dataclass(frozen=True)
class ContextConfig(Settings):
    """Adds values of neighbouring rows to each row: columns NAME_before and NAME_after."""

    columns: tuple[str, ...]
    """Columns of texts, which are joined in order, or of arrays, which become a list with the nearest row's array
    last."""
    before: int = 0
    """Maximum number of earlier rows of the group. A row without any lacks NAME_before."""
    after: int = 0
    """Maximum number of later rows of the group. A row without any lacks NAME_after."""

    def __post_init__(self) -> None:
        require(self, before=at_least(0), after=at_least(0))
        if not self.columns or not self.before + self.after:
            raise ValueError(
                f"columns are {self.columns}, before is {self.before} and after {self.after}, expected a column "
                "and a row before or after"
            )


class InContext(Sequence[Sample]):
    """The rows of `dataset` with values of their neighbours: rows of the same group, in the order of the data."""

    def __init__(self, dataset: Dataset, config: ContextConfig, where: str) -> None:
        """Raises WeftError if no row has a column."""
        self._dataset, self._config = dataset, config
        self._groups: dict[str, list[int]] = {}
        self._values: list[dict[str, Any]] = []
        for row in range(len(dataset)):
            sample = _readable(dataset, row)
            items = {} if sample is None else sample.items
            self._values.append({name: items.get(name) for name in config.columns})
            if sample is not None:
                self._groups.setdefault(sample.group, []).append(row)
        self._places = {
            row: (group, place)
            for group, rows in self._groups.items()
            for place, row in enumerate(rows)
        }
        for name in config.columns:
            if not any(values[name] is not None for values in self._values):
                raise WeftError(f"{where}: context names column '{name}', which no row has")
        known = columns_of(dataset)
        names = [form.format(name) for form in (BEFORE, AFTER) for name in config.columns]
        self.known_columns = replace(known, items=(*known.items, *names))

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[index]
        group, place = self._places[index]
        rows, config = self._groups[group], self._config
        before = rows[max(0, place - config.before) : place]
        after = rows[place + 1 : place + 1 + config.after]
        items = dict(sample.items)
        for name in config.columns:
            for form, near in ((BEFORE, before), (AFTER, after)):
                values = [self._values[row][name] for row in near]
                found = [value for value in values if value is not None]
                if found:
                    items[form.format(name)] = _together(found, backwards=form == AFTER)
        return replace(sample, items=items)


def _together(values: list[Any], *, backwards: bool) -> Any:
    """Joins texts. Arrays become a list; `backwards` reverses it where the first is the nearest."""
    if not all(isinstance(value, str | Alternatives) for value in values):
        return values[::-1] if backwards else values
    return " ".join(value[0] if isinstance(value, Alternatives) else str(value) for value in values)


def _readable(dataset: Dataset, row: int) -> Sample | None:
    """Returns the row, or None if it is unreadable; its reader reports the error."""
    try:
        return dataset[row]
    except DataError:
        return None
