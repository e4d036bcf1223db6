"""Rectified flow: the velocity on the straight line from noise to the true value."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import FINITE, POSITIVE, SHARE_BELOW_1, require
from weft.core.records import Batch, Features, Loss
from weft.decoders.flow import Flow
from weft.heads.drawn import DrawnOutput
from weft.objectives._drawn import column, context_of, per_row, rows_to_draw
from weft.objectives._presence import nothing

NOISE = "flow: noise"


class RectifiedFlow(nn.Module):
    """Squared error of the velocity at a random time of the line (Liu et al. 2022, arXiv:2209.03003, equation 1).

    Times are sampled from a logit-normal distribution, in which the middle is more frequent (Esser et al. 2024,
    arXiv:2403.03206, equation 19). In a share of the rows the context is dropped, for classifier-free guidance.
    """

    def __init__(self, config: "RectifiedFlowConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        head = model.head(config.head)
        batch, streams, values_BX = rows_to_draw(model, batch, streams, config.head)
        if values_BX is None:
            return nothing(head, batch)
        if not isinstance(head.decoder, Flow):
            raise ValueError(
                f"the decoder of head '{config.head}' is a {type(head.decoder).__name__}, expected a Flow"
            )
        flow = head.decoder
        noise_BX = batch.normal(NOISE, *flow.noise)
        times_B = torch.sigmoid(config.mean + config.std * batch.normal("flow: time", 1)[:, 0])
        gone_B = batch.uniform("flow: context", 1)[:, 0] < config.unconditional

        def costs(
            values: Tensor, noise: Tensor, times: Tensor, gone: Tensor, context: Features
        ) -> Tensor:
            values = flow.encoded(values)
            share = column(times, values)
            moved = flow.velocity(
                share * values + (1 - share) * noise, times, flow.without_context(context, gone)
            )
            return per_row((moved.float() - (values - noise)).square())

        parts = streams.by_rows(
            costs, values_BX, noise_BX, times_B, gone_B, context_of(model, config.head, streams)
        )
        return Loss(mean_of_all(torch.cat(parts)), {})

    def guess(self, model: Reader, batch: Batch, streams: EncodedStreams, mean_X: Tensor) -> Tensor:
        """(R,) the cost of the rows if the predicted velocity is always the mean of what the flow generates (*noise);
        noise has a mean of 0.
        """
        batch, _, values_BX = rows_to_draw(model, batch, streams, self.config.head)
        if values_BX is None:
            return mean_X.new_zeros(0)
        values_BX = cast(Flow, model.head(self.config.head).decoder).encoded(values_BX)
        return per_row((mean_X - values_BX + batch.normal(NOISE, *mean_X.shape)).square())


@dataclass(frozen=True)
class RectifiedFlowConfig(Config[Objective]):
    """The velocity of a rectified flow that generates pictures or sounds."""

    head: str = "picture"
    """Head whose decoder is a flow."""
    unconditional: float = 0.1
    """Share of the rows whose context is left out."""
    mean: float = 0.0
    """Mean of the normal distribution whose logistic function is the time. Above 0, times are nearer to the value."""
    std: float = 1.0
    """Its standard deviation."""

    def __post_init__(self) -> None:
        require(self, unconditional=SHARE_BELOW_1, mean=FINITE, std=POSITIVE)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: DrawnOutput}, latents=(self.head,))

    def build(self) -> RectifiedFlow:
        return RectifiedFlow(self)
