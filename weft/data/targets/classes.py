"""A class of a closed set, learned from the training rows or given."""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.cells import Labels, Merge, label_key, label_of
from weft.core.config import Config
from weft.core.errors import WeftError, brief, unknown_name
from weft.core.interfaces import Target
from weft.data.targets import NO_CLASS

log = logging.getLogger("weft.data")


class Classes:
    """A value of the column -> its index among the classes, (B,) int64.

    classes: names in the order of the logits; learned ones by frequency, the most frequent first, then by name. A
    value outside them is NO_CLASS if the classes were learned, and an error if they were given.
    """

    exclusive = True

    def __init__(self, config: "ClassesConfig") -> None:
        self.column = config.column
        self._max_classes = config.max_classes
        self._given = bool(config.classes)
        self._labels = Labels(merge=config.merge)
        self._use(config.classes)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._labels.names

    def read(self, raw: Any) -> int:
        name = class_name(raw, self.column)
        place = self._labels.place(name)
        if self._given and place is None:
            raise unknown_name(self.column, name, self.classes)
        return NO_CLASS if place is None else place

    def name(self, raw: Any) -> str:
        """Returns the class of a value in the spelling of the classes, or as it is if it is none of them."""
        return self._labels.spelled(class_name(raw, self.column))

    def collate(self, items: Sequence[int]) -> Tensor:
        return torch.tensor(items, dtype=torch.int64)

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns the classes, unless they were given. Raises WeftError where no row has one."""
        if self._given:
            return
        counts, first_error = self._counted(raws)
        if not counts:
            reason = "" if first_error is None else f": {first_error}"
            raise WeftError(f"no training row has a class in its column '{self.column}'{reason}")
        if any(map(_is_fraction, counts)) and all(map(_is_number, counts)):
            log.warning(
                "column '%s' holds numbers such as %s; each of the %d different ones is a class; "
                "NumbersConfig reads numbers",
                *(self.column, next(filter(_is_fraction, counts)), len(counts)),
            )
        self._labels = self._labels.most_frequent(counts, self._max_classes)
        unknown = sum(rows for name, rows in counts.items() if self._labels.place(name) is None)
        if unknown:
            log.warning(
                "%d of %d training rows have a '%s' that is none of the %d that are learned",
                *(unknown, counts.total(), self.column, self._max_classes),
            )

    def _counted(self, raws: Iterable[Any]) -> tuple[Counter[str], WeftError | None]:
        """Counts each class, and returns the first error of the other values; their reader reports each."""
        counts: Counter[str] = Counter()
        first_error: WeftError | None = None
        for raw in raws:
            try:
                counts[class_name(raw, self.column)] += 1
            except WeftError as error:
                first_error = first_error or error
        return counts, first_error

    def state(self) -> dict[str, Any]:
        return {"classes": list(self.classes)}

    def restore(self, state: Mapping[str, Any]) -> None:
        classes = state.get("classes")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise WeftError(f"classes are {classes!r:.60}, expected a list of names")
        self._use(classes)

    def _use(self, classes: Sequence[str]) -> None:
        names = [class_name(name, self.column) for name in classes]
        self._labels = Labels(names, self._labels.merge)


def class_name(raw: Any, column: str) -> str:
    """Returns the name of a class in one Unicode form. JSON's true and 3 are classes too.

    Raises WeftError that describes the value of `column`.
    """
    expected = "expected a string, a whole number or a truth"
    if isinstance(raw, list | tuple):
        expected = "a list: expected one class a row; TagsConfig reads several labels a row"
    elif isinstance(raw, float) and not raw.is_integer():
        expected = f"{expected}; NumbersConfig reads numbers"
    else:
        try:
            return label_of(raw)
        except WeftError:
            expected = "expected the name of a class" if isinstance(raw, str) else expected
    raise WeftError(f"'{column}' is {brief(raw)}, {expected}")


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def _is_fraction(name: str) -> bool:
    return _is_number(name) and not float(name).is_integer()


@dataclass(frozen=True)
class ClassesConfig(Config[Target]):
    """One class of a closed set: an answer, a label, true or false."""

    column: str
    """The column that holds the class."""
    classes: tuple[str, ...] = ()
    """The classes in the order of the logits. If empty, they are learned from the training rows."""
    max_classes: int = 3000
    """Maximum number of learned classes, the most frequent ones. Any other value is no class."""
    merge: tuple[Merge, ...] = ()
    """Differences that two spellings of one class may have: case, blanks."""

    def __post_init__(self) -> None:
        if self.max_classes < 1:
            raise ValueError(f"max_classes is {self.max_classes}, expected at least 1 class")
        names = {label_key(class_name(name, self.column), self.merge) for name in self.classes}
        if len(names) < len(self.classes):
            raise ValueError("classes names one twice, expected each once")

    def build(self) -> Classes:
        return Classes(self)
