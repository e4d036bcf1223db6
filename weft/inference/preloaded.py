"""Rows whose values are already read and transformed, so that the rows of many callers run in one call of the
model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.architectures.model import Model
from weft.core.interfaces import Modality
from weft.core.once import once
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.presence import collate_present
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.embedding import by_length
from weft.inference.given import Given
from weft.inference.member import Member

Views = Sequence[Any]
"""One value as the model reads it, in each of its evaluation views."""


class Size(NamedTuple):
    """The cost of N rows: the tokens of the longest sequence, and the numbers of the largest picture or sound."""

    rows: int
    tokens: int
    numbers: int


@dataclass(frozen=True)
class Preloaded:
    """N rows. values: stream -> for each row its views; None for a view of a row without the stream."""

    samples: Sequence[Sample]
    values: Mapping[str, Sequence[Views]]

    @classmethod
    def of(cls, rows: Given, views: int | None = None) -> "Preloaded":
        """Reads every value. views: how many views of each value; None: all. Raises DataError for a value that
        cannot be read.
        """
        read = {
            name: [_views(source, row, views) for row in range(len(rows.samples))]
            for name, source in rows.sources.items()
        }
        return cls([_bare(sample) for sample in rows.samples], read)

    @classmethod
    def join(cls, parts: Sequence["Preloaded"]) -> "Preloaded":
        """The rows of all parts in order; a row lacks the streams that its part lacks."""
        streams = dict.fromkeys(stream for part in parts for stream in part.values)
        missing: Views = (None,)
        values = {
            stream: [
                views for p in parts for views in p.values.get(stream, [missing] * len(p.samples))
            ]
            for stream in streams
        }
        return cls([sample for part in parts for sample in part.samples], values)

    def member(self, model: Model, learned: Learned) -> Member:
        """A member that reads these rows."""
        sources = {
            stream: _Source(views, learned.modalities[stream])
            for stream, views in self.values.items()
        }
        return Member(model, sources, learned)

    def embedded(self, stream: str, modality: Modality, embed: Callable[[Field], Tensor]) -> Tensor:
        """(N, E) float32 embeddings of one stream, unit length: the mean over the views of each row.

        embed: computes (B, E) unit-length embeddings, on the CPU, of a batch of views.
        """
        config = InferenceConfig(batch_size=BATCH)
        views = [(row, view) for row, own in enumerate(self.values[stream]) for view in own]
        rows: list[int] = []
        parts: list[Tensor] = []
        for batch in by_length(views, config):
            rows += [row for row, _ in batch]
            parts.append(embed(modality.collate([view for _, view in batch])))
        vectors = torch.cat(parts)
        total_NE = torch.zeros(len(self.samples), vectors.shape[1])
        return F.normalize(total_NE.index_add_(0, torch.tensor(rows), vectors), dim=-1)

    @property
    def size(self) -> Size:
        """The size of the rows for the model."""
        read = [
            view
            for rows in self.values.values()
            for views in rows
            for view in views
            if isinstance(view, Tensor)
        ]
        tokens = max((len(view) for view in read if view.ndim == 1), default=0)
        numbers = max((view.numel() for view in read if view.ndim > 1), default=0)
        return Size(len(self.samples), tokens, numbers)


class _Source:
    """A stream whose values are already read."""

    def __init__(self, values: Sequence[Views], modality: Modality) -> None:
        self._values = values
        self._modality = modality

    def views(self, index: int) -> int:
        return len(self._values[index])

    def load(self, index: int, *, train: bool, generator: torch.Generator, view: int) -> Any:  # noqa: ARG002
        views = self._values[index]
        return views[view if view < len(views) else 0]

    def collate(self, items: Sequence[Any]) -> Field | Features | None:
        return collate_present(items, self._modality.collate)


def _views(source: ModalitySource, row: int, views: int | None) -> list[Any]:
    generator = torch.Generator()
    count = source.views(row) if views is None else views
    with once():
        return [
            source.load(row, train=False, generator=generator, view=view) for view in range(count)
        ]


def _bare(sample: Sample) -> Sample:
    """The row without its raw values, which are no longer needed."""
    return Sample(sample.id, sample.group, {}, sample.source)
