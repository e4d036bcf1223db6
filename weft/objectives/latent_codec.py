"""The codec of a flow over latents: pictures are reconstructed from their latents."""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import NOT_NEGATIVE, POSITIVE_SHARE, require
from weft.core.records import Batch, Field, Loss
from weft.decoders.flow import Flow
from weft.heads.drawn import DrawnOutput
from weft.objectives._drawn import drawer, per_row
from weft.objectives._presence import nothing, rows_with


class LatentCodec(nn.Module):
    """The error of values that the codec decodes from their latents with noise added.

    The noise teaches the codec to decode latents with small errors, as a flow generates them. It takes the place of
    the penalty that keeps the latents of a variational codec smooth (Rombach et al. 2022, arXiv:2112.10752, section
    3.1). Rows need only the generated stream, not the head's context.
    """

    def __init__(self, config: "LatentCodecConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        head = model.head(config.head)
        _, output = drawer(head, config.head)
        codec = head.decoder.codec if isinstance(head.decoder, Flow) else None
        if codec is None:
            raise ValueError(
                f"the decoder of head '{config.head}' is a {type(head.decoder).__name__} without a codec, expected a "
                "Flow with one"
            )
        batch, streams = rows_with(batch, streams, (output.stream,))
        chosen_R = (batch.uniform("latent codec: rows", 1)[:, 0] < config.share).nonzero()[:, 0]
        field = batch.inputs.get(output.stream)
        if not isinstance(field, Field) or not len(chosen_R):
            return nothing(cast(nn.Module, codec), batch)
        noise_BX = batch.normal("latent codec: noise", *codec.latents)

        def costs(field: Field, noise: Tensor) -> Tensor:
            values = output.values_of(field)
            latents = codec.encode(values)
            apart = codec.decode(latents + config.noise * noise).float() - values
            return per_row(apart.abs() if config.pixel == "absolute" else apart.square())

        parts = streams.by_rows(costs, field.take(chosen_R), noise_BX[chosen_R])
        return Loss(mean_of_all(torch.cat(parts)), {})


@dataclass(frozen=True)
class LatentCodecConfig(Config[Objective]):
    """Reconstruction by the codec of a flow over latents."""

    head: str = "picture"
    """Head whose decoder is a flow with a codec."""
    noise: float = 0.2
    """Standard deviation of the noise added to the latents, whose mean square is 1."""
    share: float = 1.0
    """Share of the rows that are reconstructed, a random choice, for speed."""
    pixel: Literal["squared", "absolute"] = "squared"
    """Error of each pixel."""

    def __post_init__(self) -> None:
        require(self, noise=NOT_NEGATIVE, share=POSITIVE_SHARE)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: DrawnOutput}, codecs=(self.head,))

    def build(self) -> LatentCodec:
        return LatentCodec(self)
