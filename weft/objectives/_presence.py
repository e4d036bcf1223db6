"""The rows of a batch that an objective can use: those with the streams that it compares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, HeadReader, Reader, Rows
from weft.core.records import Batch, Features, Loss

T = TypeVar("T")


def rows_with(
    batch: Batch,
    streams: EncodedStreams,
    every: tuple[str, ...] = (),
    some: tuple[str, ...] = (),
) -> tuple[Batch, EncodedStreams]:
    """The rows that have all streams of `every` and, if `some` is not empty, at least one of `some`.

    The whole batch if no row lacks any. A rank may have no such row; it then takes part in the objective with zero
    rows.
    """
    there_B = batch.present(every, some)
    if there_B is None or bool(there_B.all()):
        return batch, streams
    index_R = there_B.nonzero()[:, 0]
    return batch.take(index_R), _Chosen(streams, index_R)


def rows_of(
    model: Reader,
    batch: Batch,
    streams: EncodedStreams,
    head: str,
    every: tuple[str, ...] = (),
) -> tuple[Batch, EncodedStreams]:
    """The rows that have at least one stream that the head reads, and all streams of `every`."""
    context = model.head(head).context
    if context in model.fused_streams:
        return rows_with(batch, streams, every=(context, *every))
    return rows_with(batch, streams, every, some=model.fused_streams)


@dataclass(frozen=True)
class _Chosen:
    """Some rows of encoded streams."""

    streams: EncodedStreams
    index_R: Tensor  # noqa: N815

    def features(self, stream: str) -> Features:
        return self.streams.features(stream).take(self.index_R)

    def fused(self) -> Mapping[str, Features]:
        return {name: found.take(self.index_R) for name, found in self.streams.fused().items()}

    def embedding(self, stream: str) -> Tensor:
        return self.streams.embedding(stream)[self.index_R]

    def by_rows(self, compute: Callable[..., T], *rows: Rows) -> list[T]:
        return self.streams.by_rows(compute, *rows)


def nothing(part: nn.Module | HeadReader, batch: Batch, *terms: str) -> Loss:
    """The loss of zero rows, if the batch lacks the stream: 0, with a gradient of 0 for the part's parameters.

    Ranks with rows divide by the number of all rows, so this rank takes part in the same means. terms: the names of
    the loss's terms, in their order.
    """
    none = torch.zeros(0, device=batch.groups.device)
    zero = sum((parameter.sum() * 0 for parameter in part.parameters()), none.sum())
    return Loss(mean_of_all(none) + zero, {term: mean_of_all(none) for term in terms})
