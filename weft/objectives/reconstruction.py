"""Reconstruction: heads reconstruct the streams of a row from the model's features."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Encoder, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import NOT_NEGATIVE, require
from weft.core.records import Batch, Features, Loss
from weft.core.records import Field as StreamField
from weft.heads.drawn import DrawnOutput
from weft.heads.output import Output
from weft.heads.texts import TextOutput
from weft.objectives._drawn import drawer, per_row
from weft.objectives._presence import nothing
from weft.objectives.captioning import text_field, token_costs, writer


class Cost(NamedTuple):
    """(B,) the cost of a row's reconstruction, zero if it lacks the stream, and whether it has the stream."""

    each: Tensor
    there: Tensor


class Reconstruction(nn.Module):
    """The error of each head's reconstruction against the true value of the row, a mean over the rows that have it.

    For a generated value the mean error of its numbers. Optionally also the error of the features of a frozen
    encoder (perceptual: Johnson et al. 2016, arXiv:1603.08155, section 3.2) and of the magnitudes of its Fourier
    transform (spectral). For a text the mean cross-entropy of a token.
    """

    def __init__(self, config: "ReconstructionConfig") -> None:
        super().__init__()
        self.config = config
        self.eyes = (
            None if config.perceptual is None else build(config.perceptual).requires_grad_(False)
        )

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        fused = streams.fused()
        total, terms = torch.zeros((), device=batch.groups.device), {}
        for name, weight in self.config.heads.items():
            head = model.head(name)
            context = head.reads(fused)
            cost = self.cost(model, name, batch, streams, context)
            if cost is None:
                loss = nothing(head, batch).total
            else:
                there_B = cost.there & context.present
                loss = mean_of_all(cost.each.masked_fill(~there_B, 0), there_B.sum())
            total = total + weight * loss
            terms[name] = loss.detach()
        return Loss(total, terms)

    def cost(
        self, model: Reader, name: str, batch: Batch, streams: EncodedStreams, context: Features
    ) -> Cost | None:
        """The Cost of the head with that name, from any context with the same number of rows; None if the batch
        lacks the stream.
        """
        head = model.head(name)
        stream = stream_of(cast(Output, head.output), name)
        if not isinstance(batch.inputs.get(stream), StreamField):
            return None
        if isinstance(head.output, TextOutput):
            return self._text(model, name, batch, streams, context)
        decoder, output = drawer(head, name)
        field = cast(StreamField, batch.inputs[stream])

        def measure(context: Features, field: StreamField) -> Tensor:
            true = output.values_of(field)
            made = decoder.draw(context, None, output.drawing).float()
            if field.mask is None:
                return self._error(made, true) + self._perceived(output, made, field)
            if true.shape[1] > made.shape[1]:
                raise ValueError(
                    f"stream '{stream}' has {true.shape[1]} frames, expected at most {made.shape[1]}, which head "
                    f"'{name}' draws"
                )
            # Frames of padding must count neither in the error nor in the perceptual loss.
            made = made[:, : true.shape[1]].masked_fill(~field.mask[..., None], 0)
            true = true.masked_fill(~field.mask[..., None], 0)
            share_B = field.mask.float().mean(1).clamp_min(1 / true.shape[1])
            return self._error(made, true) / share_B + self._perceived(output, made, field)

        each_B = torch.cat(streams.by_rows(measure, context, field))
        there_B = torch.ones_like(context.present) if field.present is None else field.present
        return Cost(each_B.masked_fill(~there_B, 0), there_B)

    def _text(
        self, model: Reader, name: str, batch: Batch, streams: EncodedStreams, context: Features
    ) -> Cost:
        decoder, stream = writer(model.head(name), name)

        def measure(context: Features, text: StreamField) -> tuple[Tensor, Tensor]:
            costs_RT, mask_RT = token_costs(decoder, context, text)
            rows = len(context)
            tokens_B = mask_RT.view(rows, -1).sum(1)
            return costs_RT.view(rows, -1).sum(1) / tokens_B.clamp_min(1), tokens_B > 0

        parts = streams.by_rows(measure, context, text_field(batch, stream))
        each_B, there_B = (torch.cat(part) for part in zip(*parts, strict=True))
        return Cost(each_B, there_B)

    def _error(self, made: Tensor, true: Tensor) -> Tensor:
        """(R,) the mean over all numbers of a row."""
        config = self.config
        apart = made - true
        error_B = per_row(apart.abs() if config.pixel == "absolute" else apart.square())
        if config.spectral:
            magnitudes = (torch.fft.rfft2(values, norm="ortho").abs() for values in (made, true))
            error_B = error_B + config.spectral * per_row(
                (next(magnitudes) - next(magnitudes)).abs()
            )
        return error_B

    def _perceived(self, output: DrawnOutput, made: Tensor, field: StreamField) -> Tensor:
        """(R,) the error of the frozen encoder's tokens, a mean over the real ones; zeros without an encoder."""
        if self.eyes is None:
            return made.new_zeros(len(made))
        with torch.no_grad():
            true = cast(Encoder, self.eyes)(StreamField(field.values, field.mask))
        seen = cast(Encoder, self.eyes)(StreamField(output.field_of(made).values, field.mask))
        apart_BTD = F.normalize(seen.tokens.float(), dim=2) - F.normalize(
            true.tokens.float(), dim=2
        )
        apart_BT = apart_BTD.square().sum(2).masked_fill(~true.mask, 0)
        return self.config.perceptual_weight * apart_BT.sum(1) / true.mask.sum(1).clamp_min(1)

    def train(self, mode: bool = True) -> "Reconstruction":
        """Sets the training mode; the frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.eyes is not None:
            self.eyes.eval()
        return self


def stream_of(output: Output, name: str) -> str:
    """The stream that a head generates. Raises ValueError if it generates none."""
    if isinstance(output, DrawnOutput | TextOutput):
        return output.stream
    raise ValueError(
        f"head '{name}' has a {type(output).__name__}, expected one that draws or writes a stream"
    )


@dataclass(frozen=True)
class ReconstructionConfig(Config[Objective]):
    """Reconstruction of a row's own streams, for autoencoders."""

    heads: dict[str, float] = field(default_factory=lambda: {"image": 1.0, "text": 1.0})
    """Head that generates values or texts -> its weight."""
    pixel: Literal["squared", "absolute"] = "squared"
    """The error of a generated number."""
    spectral: float = 0.0
    """Weight of the error of the magnitudes of the Fourier transform over the last two dimensions."""
    perceptual: Config[Encoder] | None = None
    """Frozen encoder, such as one's own, whose tokens are compared."""
    perceptual_weight: float = 1.0
    """Weight of that error."""

    def __post_init__(self) -> None:
        require(self, heads=NOT_NEGATIVE, spectral=NOT_NEGATIVE, perceptual_weight=NOT_NEGATIVE)
        if not self.heads:
            raise ValueError("heads is {}, expected one head or more")

    @property
    def needs(self) -> Needs:
        return Needs(heads=dict.fromkeys(self.heads, Output))

    def build(self) -> Reconstruction:
        return Reconstruction(self)
