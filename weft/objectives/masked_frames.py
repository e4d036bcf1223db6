"""Masked audio modelling: hidden stretches of a spectrogram are predicted (Mockingjay: Liu et al. 2019, arXiv:1910.12638;
TERA: Liu et al. 2020, arXiv:2007.06028)."""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE_SHARE, require
from weft.core.records import Batch, Loss
from weft.core.shapes import check_shape
from weft.objectives._masking import (
    Head,
    chosen_places,
    encode_masked,
    input_field,
    real,
    real_values,
    rows_at,
    scaled,
)
from weft.objectives._presence import nothing, rows_with


class MaskedFrames(nn.Module):
    """Spans of frames become zero, and the tokens that represent them predict their frames.

    Zero is the mean of normalised log energies. Absolute error, a mean over bands and real frames of a token, then
    over the hidden tokens of all ranks. Token t must represent the `frames` frames from t x `frames` on.
    """

    def __init__(self, config: "MaskedFramesConfig") -> None:
        super().__init__()
        self.config = config
        self.head = Head(config.dim, config.dim)
        self.out = scaled(nn.Linear(config.dim, config.frames * config.bands))

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        batch, streams = rows_with(batch, streams, (config.masked,))
        field = input_field(model, batch, config.masked)
        if field is None:
            return nothing(self, batch, "zero")
        check_shape(field.values, "B T M", "frames of a spectrogram", M=config.bands)
        real_BKF = self.by_token(real(field))
        wanted_BKFM = self.by_token(real_values(field)).float()
        chosen_BK = self.choose(batch, real_BKF.any(dim=2))
        hidden_BT = chosen_BK.repeat_interleave(config.frames, dim=1)[:, : field.values.shape[1]]
        altered = replace(field, values=field.values.masked_fill(hidden_BT[:, :, None], 0))
        features = encode_masked(model, batch, streams, config.masked, altered)
        if features.tokens.shape[1] != chosen_BK.shape[1]:
            raise ValueError(
                f"the masked stream has {features.tokens.shape[1]} tokens, expected {chosen_BK.shape[1]}: one for "
                f"{config.frames} of its {field.values.shape[1]} frames"
            )
        wanted_NFM, real_NF = rows_at(wanted_BKFM, chosen_BK), rows_at(real_BKF, chosen_BK)
        found_NX = self.out(self.head(rows_at(features.tokens, chosen_BK))).float()
        errors_NF = (found_NX.view(wanted_NFM.shape) - wanted_NFM).abs().mean(dim=2)
        zero_N = per_token(wanted_NFM.abs().mean(dim=2), real_NF)
        return Loss(mean_of_all(per_token(errors_NF, real_NF)), {"zero": mean_of_all(zero_N)})

    def by_token(self, values_BTX: Tensor) -> Tensor:
        """(B, K, frames, ...) the frames of each token; frames after the end are zero."""
        missing = -values_BTX.shape[1] % self.config.frames
        padding = (0, 0) * (values_BTX.ndim - 2) + (0, missing)
        padded_BTX = F.pad(values_BTX, padding)
        tokens = padded_BTX.shape[1] // self.config.frames
        shape = (len(values_BTX), tokens, self.config.frames, *values_BTX.shape[2:])
        return padded_BTX.reshape(shape)

    def choose(self, batch: Batch, real_BK: Tensor) -> Tensor:
        """(B, K) True at hidden tokens: whole spans of `span` real tokens."""
        count, span = real_BK.shape[1], self.config.span
        padded_BK = F.pad(real_BK, (0, -count % span))
        shape = (len(real_BK), padded_BK.shape[1] // span, span)
        spans_BS = padded_BK.reshape(shape).any(dim=2)
        scores_BS = batch.uniform(f"masked {self.config.masked}: span", spans_BS.shape[1])
        chosen_BS = chosen_places(scores_BS, spans_BS, self.config.mask_ratio)
        return chosen_BS.repeat_interleave(span, dim=1)[:, :count] & real_BK


def per_token(errors_NF: Tensor, real_NF: Tensor) -> Tensor:
    """(N,) the mean over the real frames of each token; at least one frame is counted."""
    return errors_NF.masked_fill(~real_NF, 0).sum(dim=1) / real_NF.sum(dim=1)


@dataclass(frozen=True)
class MaskedFramesConfig(Config[Objective]):
    """Masked audio modelling: predict hidden frames of a spectrogram (Mockingjay, TERA)."""

    dim: int
    """Width of the stream's tokens where they are read: after fusion, or its encoder's."""
    bands: int
    """Mel bands of a frame."""
    frames: int = 1
    """Frames that a token stands for: 2 for each halving of the encoder."""
    masked: str = "audio"
    """Stream whose frames are hidden."""
    mask_ratio: float = 0.15
    """Share of the stretches that is hidden."""
    span: int = 4
    """Tokens that are hidden as one stretch."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, bands=COUNT, frames=COUNT, mask_ratio=POSITIVE_SHARE, span=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.masked,))

    def build(self) -> MaskedFrames:
        return MaskedFrames(self)
