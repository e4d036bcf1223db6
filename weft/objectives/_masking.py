"""Shared by masked objectives: an input is altered, and the model reads it with the other streams."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.interfaces import EncodedStreams, Reader
from weft.core.records import Batch, Features, Field


def input_field(model: Reader, batch: Batch, stream: str) -> Field | None:
    """The batch's raw input of that stream, which can be altered; None if no row has it."""
    value = batch.inputs.get(stream)
    if value is None and stream not in model.encoders:
        known = ", ".join(model.encoders)
        raise ValueError(f"the model encodes no stream '{stream}' to mask, it encodes: {known}")
    if isinstance(value, Features):
        raise ValueError(
            f"stream '{stream}' comes from the feature cache, so nothing in it can be masked any more: "
            "take it out of data.cache"
        )
    return value


def encode_masked(
    model: Reader, batch: Batch, streams: EncodedStreams, stream: str, altered: Field
) -> Features:
    """The stream's features for the altered input, fused with the unaltered other streams.

    Without a fusion, the features of the encoder. The tokens must be in the same positions as those of the input.
    """

    def read(part: Field, others: Mapping[str, Features]) -> Features:
        features = model.encode(stream, part)
        return model.fuse({stream: features, **others})[stream]

    names = [name for name in batch.inputs if name in model.fused_streams and name != stream]
    others = {} if model.fusion is None else {name: streams.features(name) for name in names}
    return Features.join(streams.by_rows(read, altered, others))


def real(field: Field) -> Tensor:
    """(B, T) True at real tokens of rows that have the stream."""
    shape, device = field.values.shape[:2], field.values.device
    real_BT = torch.ones(shape, dtype=torch.bool, device=device)
    if field.mask is not None:
        real_BT = real_BT & field.mask
    return real_BT if field.present is None else real_BT & field.present[:, None]


def real_values(field: Field) -> Tensor:
    """The values with zeros in the padding, which may hold anything."""
    real_BT = real(field)
    return field.values.masked_fill(
        ~real_BT.view(*real_BT.shape, *[1] * (field.values.ndim - 2)), 0
    )


def chosen_places(scores_BT: Tensor, candidates_BT: Tensor, mask_ratio: float) -> Tensor:
    """(B, T) True at a share `mask_ratio` of the candidates, and at least at one in every row with candidates.

    scores_BT: uniform random numbers; candidates with equal numbers are chosen together or not at all.
    """
    scores_BT = scores_BT.masked_fill(~candidates_BT, torch.inf)
    if not scores_BT.shape[1]:
        return candidates_BT
    least_B1 = scores_BT.amin(dim=1, keepdim=True)
    return (scores_BT <= least_B1.clamp(min=mask_ratio)) & candidates_BT


def rows_at(values_BTX: Tensor, places_BT: Tensor) -> Tensor:
    """(M, ...) the values at the positions that are True, row by row."""
    index_M = places_BT.flatten().nonzero()[:, 0]
    # Indexing by a mask would add up gradients as the threads arrive.
    return values_BTX.flatten(0, 1).index_select(0, index_M)


class Head(nn.Module):
    """A layer, an activation and a norm before the last map, as BERT's (arXiv:1810.04805) head has.

    Weights of variance 1 / fan-in.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.dense = scaled(nn.Linear(dim, hidden))
        self.norm = nn.LayerNorm(hidden, eps=1e-12)  # as BERT, so that its heads fit

    def forward(self, tokens_MD: Tensor) -> Tensor:
        hidden_MD: Tensor = self.norm(F.gelu(self.dense(tokens_MD)))
        return hidden_MD


def scaled(linear: nn.Linear) -> nn.Linear:
    """`linear` with weights of variance 1 / fan-in and biases of zero."""
    nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
    nn.init.zeros_(linear.bias)
    return linear
