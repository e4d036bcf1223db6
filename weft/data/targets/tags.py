"""Several labels a row: tags."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Target
from weft.data.targets.classes import class_name

log = logging.getLogger("weft.data")

SEPARATORS = (";", "|", ",")
"""What may stand between the tags of a cell; the first one that any training row has does."""


class Tags:
    """A list of tags, or a cell such as `red; round` -> 1 for each tag that the row has, (B, V) float32.

    classes: the tags in the order of the logits, the most frequent first, then by name. A row may have
    none of them. Tags that are not known are left out. separator: of cells, learned where none is given.
    """

    exclusive = False

    def __init__(self, config: "TagsConfig") -> None:
        self.column = config.column
        self._max_classes = config.max_classes
        self.separator = config.separator
        self.classes: tuple[str, ...] = ()
        self._places: dict[str, int] = {}

    def names(self, raw: Any) -> tuple[str, ...]:
        """The tags of a row, each once. Raises WeftError where the value holds none."""
        return tags_of(raw, self.column, self.separator)

    def read(self, raw: Any) -> Tensor:
        found = torch.zeros(len(self.classes))
        places = [self._places[name] for name in self.names(raw) if name in self._places]
        found[places] = 1.0
        return found

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
                counts.update(self.names(raw))
            except WeftError as error:  # whoever reads the row reports it
                first_error = first_error or error
        if not counts:
            reason = "" if first_error is None else f": {first_error}"
            raise WeftError(f"no training row has a tag in its column '{self.column}'{reason}")
        ordered = sorted(counts, key=lambda name: (-counts[name], name))
        self._use(ordered[: self._max_classes])
        if len(ordered) > len(self.classes):
            log.warning(
                "column '%s' has %d different tags; the %d most frequent ones are learned",
                *(self.column, len(ordered), len(self.classes)),
            )

    def state(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "separator": self.separator}

    def restore(self, state: Mapping[str, Any]) -> None:
        classes, separator = state.get("classes"), state.get("separator")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise WeftError(f"classes are {classes!r:.60}, expected a list of tags")
        if not isinstance(separator, str) or not separator:
            raise WeftError(f"separator is {separator!r:.60}, expected a string")
        self._use(classes)
        self.separator = separator

    def _use(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self._places = {name: place for place, name in enumerate(self.classes)}


def tags_of(raw: Any, column: str, separator: str) -> tuple[str, ...]:
    """The tags in a list, or in a string with `separator` between them, each once.

    Raises WeftError that says what `column` holds instead.
    """
    if isinstance(raw, str):
        raw = [part for part in raw.split(separator) if part.strip()]
    elif not isinstance(raw, list | tuple):
        raise WeftError(
            f"'{column}' is {brief(raw)}, expected a list of tags, or a string with '{separator}' "
            "between them"
        )
    return tuple(dict.fromkeys(class_name(name, column) for name in raw))


@dataclass(frozen=True)
class TagsConfig(Config[Target]):
    """Several labels a row, any number of which may hold."""

    column: str
    """The column that holds the tags."""
    separator: str = ""
    """What stands between tags in a cell of a table; empty learns it from the training rows: ; | or ,"""
    max_classes: int = 1000
    """So many of the most frequent tags are learned."""

    def __post_init__(self) -> None:
        if self.max_classes < 1:
            raise ValueError(f"max_classes is {self.max_classes}, expected at least 1 tag")

    def build(self) -> Tags:
        return Tags(self)
