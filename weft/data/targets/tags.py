"""Several labels a row: tags."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.cells import Labels, Merge, labels_of, merged
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Target

log = logging.getLogger("weft.data")

SEPARATORS = (";", "|", ",")
"""Separators of tags in a cell, tried in this order. The first that occurs in any training row is used."""


class Tags:
    """A list of tags, or a cell such as `red; round` -> 1 for each tag that the row has, (B, V) float32.

    classes: the tags in the order of the logits, the most frequent first, then by name. A row may have no tag.
    Unknown tags are left out. separator: of the tags in a cell, learned if not given.
    """

    exclusive = False

    def __init__(self, config: "TagsConfig") -> None:
        self.column = config.column
        self._max_classes = config.max_classes
        self.separator = config.separator
        self._labels = Labels(merge=config.merge)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._labels.names

    def names(self, raw: Any) -> tuple[str, ...]:
        """Returns the tags of a row, each once, in the spelling of the classes. Raises WeftError if the value holds
        none."""
        return tuple(dict.fromkeys(map(self._labels.spelled, self._read(raw))))

    def read(self, raw: Any) -> Tensor:
        found = torch.zeros(len(self.classes))
        places = map(self._labels.place, self._read(raw))
        found[[place for place in places if place is not None]] = 1.0
        return found

    def _read(self, raw: Any) -> tuple[str, ...]:
        try:
            return labels_of(raw, self.separator)
        except WeftError as error:
            raise WeftError(f"'{self.column}' {error}") from None

    def collate(self, items: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(items))

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns the most frequent tags. Raises WeftError where no row has any."""
        values = list(raws)
        if not self.separator:
            cells = [raw for raw in values if isinstance(raw, str)]
            held = (one for one in SEPARATORS if any(one in cell for cell in cells))
            self.separator = next(held, SEPARATORS[0])
        counts: Counter[str] = Counter()
        first_error: WeftError | None = None
        for raw in values:
            try:
                counts.update(self._read(raw))
            except WeftError as error:  # the reader of this row reports it
                first_error = first_error or error
        if not counts:
            reason = "" if first_error is None else f": {first_error}"
            raise WeftError(f"no training row has a tag in its column '{self.column}'{reason}")
        self._labels = self._labels.most_frequent(counts, self._max_classes)
        different = len(merged(counts, self._labels.merge))
        if different > len(self.classes):
            log.warning(
                "column '%s' has %d different tags; the %d most frequent ones are learned",
                *(self.column, different, len(self.classes)),
            )

    def state(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "separator": self.separator}

    def restore(self, state: Mapping[str, Any]) -> None:
        classes, separator = state.get("classes"), state.get("separator")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise WeftError(f"classes are {classes!r:.60}, expected a list of tags")
        if not isinstance(separator, str) or not separator:
            raise WeftError(f"separator is {separator!r:.60}, expected a string")
        self._labels = Labels(classes, self._labels.merge)
        self.separator = separator


@dataclass(frozen=True)
class TagsConfig(Config[Target]):
    """Several labels for each row, any number of which may apply."""

    column: str
    """The column that holds the tags."""
    separator: str = ""
    """Separator of tags in a cell of a table. If empty, it is learned from the training rows: ; | or ,"""
    max_classes: int = 1000
    """Maximum number of learned tags, the most frequent ones."""
    merge: tuple[Merge, ...] = ()
    """Differences that two spellings of one tag may have: case, blanks."""

    def __post_init__(self) -> None:
        if self.max_classes < 1:
            raise ValueError(f"max_classes is {self.max_classes}, expected at least 1 tag")

    def build(self) -> Tags:
        return Tags(self)
