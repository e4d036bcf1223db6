"""Shared by objectives of speech recognition: the scores of units at each token, and the transcripts."""

from typing import NamedTuple

import torch
from torch import Tensor

from weft.core.interfaces import EncodedStreams, Reader
from weft.core.records import Batch
from weft.heads.transcripts import TranscriptOutput
from weft.objectives._presence import rows_of


class Units(NamedTuple):
    """logits_BTV: scores of each unit at each token; mask_BT: True at real tokens. ids_BL: the transcripts. batch:
    the rows that have at least one stream that the head reads.
    """

    logits_BTV: Tensor  # noqa: N815
    mask_BT: Tensor  # noqa: N815
    ids_BL: Tensor  # noqa: N815
    batch: Batch


def units_of(model: Reader, batch: Batch, streams: EncodedStreams, name: str) -> Units:
    """The Units of the head with that name. Raises ValueError if it gives no transcripts."""
    head = model.head(name)
    if not isinstance(head.output, TranscriptOutput):
        raise ValueError(
            f"head '{name}' has a {type(head.output).__name__}, expected a TranscriptOutput"
        )
    batch, streams = rows_of(model, batch, streams, name)
    context = head.reads(streams.fused())
    logits_BTV = torch.cat(streams.by_rows(head.decoder, context)).float()
    return Units(logits_BTV, context.mask, batch.targets[head.output.target], batch)
