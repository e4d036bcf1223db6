"""Tags of a row as a set of ids: the ingredients of a dish, the keywords of a report."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.cells import Labels, Merge, labels_of
from weft.core.config import Config
from weft.core.display import Display, Word
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Modality
from weft.core.ranges import COUNT, require
from weft.core.records import Field
from weft.modalities.parts import TokenParts

UNKNOWN = 0
"""The id of an unknown tag."""


class Tags(TokenParts):
    """A tag or a list of tags -> unique ids (T,) int64 in ascending order; learned from the training rows."""

    def __init__(self, config: "TagsInputConfig") -> None:
        super().__init__(self)
        self.config = config
        self._labels = Labels(merge=config.merge)

    def decode(self, raw: Any) -> tuple[str, ...]:
        """Raises WeftError if the value holds no tag."""
        found = labels_of(raw)
        if not found:
            raise WeftError(f"is {brief(raw)}, expected tags")
        return tuple(found)

    def transform(
        self,
        item: Sequence[str],
        *,
        train: bool,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        view: int = 0,  # noqa: ARG002
    ) -> Tensor:
        """(T,) int64"""
        places = (self._labels.place(name) for name in item)
        ids = {UNKNOWN if place is None else UNKNOWN + 1 + place for place in places}
        return torch.tensor(sorted(ids), dtype=torch.int64)

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B rows -> Field (B, T) with a mask, padded with zeros."""
        counts = torch.tensor([len(item) for item in items])
        values = torch.nn.utils.rnn.pad_sequence(list(items), batch_first=True)
        return Field(values, torch.arange(values.shape[1])[None] < counts[:, None])

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns the most frequent tags. Raises WeftError if no row has one."""
        counts: Counter[str] = Counter()
        first_error = None
        for raw in raws:
            try:
                counts.update(set(self.decode(raw)))
            except WeftError as error:
                first_error = first_error or error
        if not counts:
            raise first_error or WeftError("no training row has a tag")
        self._labels = Labels(merge=self.config.merge).most_frequent(counts, self.config.most)

    def state(self) -> dict[str, Any]:
        return {"names": list(self._labels.names)}

    def restore(self, state: Mapping[str, Any]) -> None:
        names = state.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise WeftError(f"is {brief(state)}, expected the names of tags")
        self._labels = Labels(names, self.config.merge)

    def names_of(self, values: Tensor) -> list[str | None]:
        """The tags of ids (T,)."""
        names = ("(unknown)", *self._labels.names)
        return [names[place] if place < len(names) else None for place in values.tolist()]

    def show(self, raw: Any) -> Display:
        """The tags as the row has them."""
        return Display(words=tuple(map(Word, labels_of(raw))))


@dataclass(frozen=True)
class TagsInputConfig(Config[Modality]):
    """Several tags for each row, as an input."""

    most: int = 256
    """Maximum number of learned tags, the most frequent ones. Any other is unknown."""
    merge: tuple[Merge, ...] = ()
    """Differences that two spellings of one tag may have: case, blanks."""

    def __post_init__(self) -> None:
        require(self, most=COUNT)

    @property
    def vocab_size(self) -> int:
        """Number of ids that an encoder needs."""
        return self.most + 1

    def build(self) -> Tags:
        return Tags(self)
