"""Shared by objectives of generated values: the head, and the true values of its rows."""

from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import EncodedStreams, HeadReader, Reader
from weft.core.records import Batch, Features, Field
from weft.decoders.drawing import Drawer, drawer_of
from weft.heads.drawn import DrawnOutput
from weft.objectives._presence import rows_of


def drawer(head: HeadReader, name: str) -> tuple[Drawer, DrawnOutput]:
    """The decoder of a head that generates values, and its output. Raises WeftError if the head does not generate."""
    if not isinstance(head.output, DrawnOutput):
        raise WeftError(
            f"head '{name}' has a {type(head.output).__name__}, expected an output of generated values"
        )
    return drawer_of(head.decoder), head.output


def rows_to_draw(
    model: Reader, batch: Batch, streams: EncodedStreams, name: str
) -> tuple[Batch, EncodedStreams, Tensor | None]:
    """The rows that have the head's context and the stream that it generates, and the true values (B, *shape) in
    the decoder's scale.

    The values are None if the batch lacks the stream.
    """
    _, output = drawer(model.head(name), name)
    batch, streams = rows_of(model, batch, streams, name, (output.stream,))
    field = batch.inputs.get(output.stream)
    if field is None:
        return batch, streams, None
    if not isinstance(field, Field):
        raise ValueError(
            f"stream '{output.stream}' comes from the feature cache, expected its values, which are drawn: "
            "take it out of data.cache"
        )
    return batch, streams, output.values_of(field)


def context_of(model: Reader, name: str, streams: EncodedStreams) -> Features:
    """The head's context; without a fusion no other stream is encoded for it."""
    head = model.head(name)
    return streams.features(head.context) if model.fusion is None else head.reads(streams.fused())


def per_row(costs_BX: Tensor) -> Tensor:
    """(B,) the mean over all dimensions but the rows."""
    return costs_BX.flatten(1).mean(dim=1) if costs_BX.ndim > 1 else costs_BX


def column(values_B: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, ...), to multiply it with values of that many dimensions."""
    return values_B.view(-1, *(1,) * (like.ndim - 1))
