"""Captioning: every next token of a text, given its context and the true tokens before it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, HeadReader, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import SHARE_BELOW_1, require
from weft.core.records import Batch, Features, Field, Loss
from weft.decoders.autoregressive import AutoregressiveDecoder
from weft.heads.texts import TextOutput
from weft.objectives._presence import nothing, rows_of


class Captioning(nn.Module):
    """Cross-entropy of the next token under teacher forcing (Show and Tell, Vinyals et al. 2015,
    arXiv:1411.4555, equation 2), a mean over the real tokens of all ranks.

    Only real tokens pass the map to the vocabulary. A row may hold several texts, one after another,
    each beginning with the row's first token; they share its context.
    """

    def __init__(self, config: "CaptioningConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        head = model.head(config.head)
        decoder, stream = writer(head, config.head)
        batch, streams = rows_of(model, batch, streams, config.head, (stream,))
        if stream not in batch.inputs:
            return nothing(head, batch, "tokens")

        def measure(context: Features, text: Field) -> tuple[Tensor, Tensor]:
            costs_RT, mask_RT = token_costs(decoder, context, text, config.label_smoothing)
            return costs_RT.sum(), mask_RT.sum()

        context, text = head.reads(streams.fused()), text_field(batch, stream)
        parts = streams.by_rows(measure, context, text)
        costs, tokens = (torch.stack(column).sum() for column in zip(*parts, strict=True))
        return Loss(mean_of_all(costs, tokens), {"tokens": tokens.to(costs.dtype)})


def token_costs(
    decoder: AutoregressiveDecoder, context: Features, text: Field, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """(R, T) the cost of each next token, zero in the padding, and the mask of real tokens.

    R is B times the largest number of texts of a row; see `separate_texts`.
    """
    texts = separate_texts(text)
    assert texts.mask is not None
    prefix = Field(texts.values[:, :-1], texts.mask[:, 1:])
    hidden_SD, packing = decoder.hidden(context, prefix)
    targets_S = packing.pack(texts.values[:, 1:])
    costs_S = F.cross_entropy(
        decoder.logits(hidden_SD).float(),
        targets_S,
        label_smoothing=label_smoothing,
        reduction="none",
    )
    # Where nothing is packed away, there are costs of padding as well.
    return packing.unpack(costs_S), packing.mask


def writer(head: HeadReader, name: str) -> tuple[AutoregressiveDecoder, str]:
    """The decoder of a head that generates texts, and the stream of its texts.

    Raises ValueError if the head does not generate texts.
    """
    if not isinstance(head.output, TextOutput):
        raise ValueError(f"head '{name}' has a {type(head.output).__name__}, expected a TextOutput")
    if not isinstance(head.decoder, AutoregressiveDecoder):
        raise ValueError(
            f"the decoder of head '{name}' is a {type(head.decoder).__name__}, expected one of text"
        )
    return head.decoder, head.output.stream


def text_field(batch: Batch, stream: str) -> Field:
    """The token ids of a stream; no tokens if it is not present. Raises ValueError if the batch has none."""
    field = batch.inputs.get(stream)
    if not isinstance(field, Field):
        held = ", ".join(batch.inputs) or "nothing"
        raise ValueError(f"the batch has no token ids of '{stream}', it has: {held}")
    mask_BT = field.mask
    if mask_BT is None:
        mask_BT = torch.ones_like(field.values, dtype=torch.bool)
    if field.present is not None:
        mask_BT = mask_BT & field.present[:, None]
    return Field(field.values, mask_BT)


def separate_texts(field: Field) -> Field:
    """Rows (B, T) of several texts -> one row per text, (B * R, T') padded at the end.

    A text begins at every repetition of the row's first token. R is the largest number of texts of a row; missing
    texts of other rows are rows without tokens.
    """
    ids_BT, mask_BT = field.values, field.mask
    assert mask_BT is not None
    starts_BT = (ids_BT == ids_BT[:, :1]) & mask_BT
    number_BT = starts_BT.cumsum(1) - 1
    texts = max(int(starts_BT.sum(1).max()), 1) if len(ids_BT) else 1
    if texts == 1:
        return field
    rows_S, places_S = mask_BT.nonzero(as_tuple=True)
    text_S = rows_S * texts + number_BT[mask_BT]
    first_R = torch.full((len(ids_BT) * texts,), ids_BT.shape[1], device=ids_BT.device)
    first_R = first_R.scatter_reduce(0, text_S, places_S, "amin")
    within_S = places_S - first_R[text_S]
    length = int(within_S.max()) + 1
    values = ids_BT.new_zeros(len(first_R), length)
    mask = torch.zeros_like(values, dtype=torch.bool)
    values[text_S, within_S] = ids_BT[mask_BT]
    mask[text_S, within_S] = True
    return Field(values, mask)


@dataclass(frozen=True)
class CaptioningConfig(Config[Objective]):
    """Teacher-forced captioning."""

    head: str = "caption"
    """Head that writes the texts."""
    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over the vocabulary."""

    def __post_init__(self) -> None:
        require(self, label_smoothing=SHARE_BELOW_1)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TextOutput})

    def build(self) -> Captioning:
        return Captioning(self)
