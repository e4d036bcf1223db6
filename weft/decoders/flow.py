"""Rectified flow: generates a value by moving noise along a velocity field (Liu et al. 2022, arXiv:2209.03003)."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.decoders.codecs.base import Codec, Coded
from weft.decoders.drawing import EVERY_SETTING, DrawingConfig, Shaped, checked_noise, noise_of
from weft.decoders.sampler import sample
from weft.decoders.velocity.base import Velocity

NEAREST = 0.05
"""Minimum remaining time used as a divisor."""


class Flow(nn.Module):
    """Moves noise at time 0 to a value at time 1, along straight lines that the network has learned.

    With a codec it generates latents, which the codec decodes (Rombach et al. 2022, arXiv:2112.10752). For
    classifier-free guidance, a learned token and vector replace a dropped context.

    shape: of one value. noise: of its noise, the shape of the latents if there is a codec.
    """

    settings = EVERY_SETTING

    def __init__(self, config: "FlowConfig") -> None:
        super().__init__()
        self.config = config
        network = build(config.network)
        assert isinstance(network, Velocity)
        self.network = network
        self.shape = self.noise = network.shape
        self.codec: Codec | None = None
        if config.codec is not None:
            codec = build(config.codec)
            assert isinstance(codec, Codec)
            self.codec, self.shape = codec, codec.shape
        self.no_context = nn.Parameter(torch.zeros(2, network.context_dim))

    def velocity(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor:
        """(B, *shape) velocity of the values at these times, 0 to 1."""
        found: Tensor = self.network(values_BX, times_B, context)
        if self.config.predicts == "velocity":
            return found
        # On the straight line, the value is 1 - time ahead.
        ahead_B = (1 - times_B).clamp_min(NEAREST)
        return (found - values_BX) / ahead_B.view(-1, *(1,) * (values_BX.ndim - 1))

    def encoded(self, values_BX: Tensor) -> Tensor:
        """(B, *shape) -> (B, *noise): what the network learns to generate, without gradient to the codec."""
        if self.codec is None:
            return values_BX
        with torch.no_grad():
            return self.codec.encode(values_BX).float()

    def decoded(self, generated_BX: Tensor) -> Tensor:
        """The reverse: (B, *noise) -> (B, *shape)."""
        return generated_BX if self.codec is None else self.codec.decode(generated_BX)

    def without_context(self, context: Features, gone_B: Tensor) -> Features:
        """Replaces the context by the learned one in the marked rows, and in rows without context."""
        check_shape(context.pooled, "B D", "the context", D=self.no_context.shape[1])
        if not context.tokens.shape[1]:
            context = replace(
                context,
                tokens=torch.zeros_like(context.pooled[:, None]),
                mask=context.mask.new_zeros(context.mask.shape[0], 1),
            )
        gone_B = gone_B | ~context.present
        token_D, pooled_D = self.no_context.to(context.tokens.dtype)
        first_T = torch.arange(context.tokens.shape[1], device=gone_B.device) == 0
        tokens = torch.where(gone_B[:, None, None], token_D, context.tokens)
        mask = torch.where(gone_B[:, None], first_T, context.mask)
        return Features(tokens, mask, torch.where(gone_B[:, None], pooled_D, context.pooled))

    def draw(self, context: Features, noise: Tensor | None, way: DrawingConfig) -> Tensor:
        """Generates (B, *shape) from noise (B, *noise), with the gradient through all steps."""
        start = (self, context, checked_noise(noise, context, self.noise))
        return self.decoded(sample(FlowSampler(way), start))

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Generates from the noise in the prefix, with default settings."""
        return self.draw(context, noise_of(prefix, context, self.noise), DrawingConfig())


@dataclass
class FlowProgress:
    """values: (B, ...) at `times[step]`. contexts: with the condition and, if guidance needs it, without."""

    flow: Flow
    contexts: tuple[Features, ...]
    values: Tensor
    step: int
    times: tuple[float, ...]
    """From 0 to 1, one more than steps."""

    @property
    def done(self) -> bool:
        return self.step == len(self.times) - 1


@dataclass(frozen=True)
class FlowSampler:
    """Solves the flow's differential equation step by step."""

    way: DrawingConfig

    def start(self, source: tuple[Flow, Features, Tensor]) -> FlowProgress:
        flow, context, noise = source
        none_B = torch.zeros(noise.shape[0], dtype=torch.bool, device=noise.device)
        contexts = [flow.without_context(context, none_B)]
        if self.way.guidance != 1:
            contexts.append(flow.without_context(context, ~none_B))
        return FlowProgress(flow, tuple(contexts), noise, 0, self._times())

    def step(self, progress: FlowProgress) -> FlowProgress:
        values, (time, after) = progress.values, progress.times[progress.step :][:2]
        velocity = self._velocity(progress, values, time)
        # The last step has no second evaluation, since the network was hardly trained at time 1.
        if self.way.solver == "heun" and after < 1:
            ahead = self._velocity(progress, values + (after - time) * velocity, after)
            velocity = (velocity + ahead) / 2
        return replace(progress, values=values + (after - time) * velocity, step=progress.step + 1)

    def finish(self, progress: FlowProgress) -> Tensor:
        return progress.values

    def _times(self) -> tuple[float, ...]:
        shares = (step / self.way.steps for step in range(self.way.steps + 1))
        return tuple(share / (share + self.way.shift * (1 - share)) for share in shares)

    def _velocity(self, progress: FlowProgress, values: Tensor, time: float) -> Tensor:
        times_B = torch.full((values.shape[0],), time, device=values.device)
        first, last = self.way.guided
        contexts = progress.contexts if first <= time < last else progress.contexts[:1]
        found = [progress.flow.velocity(values, times_B, context).float() for context in contexts]
        if len(found) == 1:
            return found[0]
        # Ho & Salimans 2022, equation 6, with guidance = 1 + w.
        return found[1] + self.way.guidance * (found[0] - found[1])


@dataclass(frozen=True)
class FlowConfig(Config[Decoder]):
    """A rectified flow: generates in several steps with a network that predicts velocities."""

    network: Config[Velocity]
    """The network."""
    predicts: Literal["value", "velocity"] = "value"
    """Output of the network: the value at the end, from which the velocity follows, or the velocity itself. Values
    have fewer dimensions than noise, so a small network can predict them (Li & He 2025, arXiv:2511.13720, section
    3)."""
    codec: Config[Codec] | None = None
    """Codec of the values whose latents the flow generates; None: it generates the values. The objective
    `LatentCodecConfig` trains it."""

    def __post_init__(self) -> None:
        if isinstance(self.codec, Coded) and isinstance(self.network, Shaped):
            latents = self.codec.latents
            if self.network.shape != latents:
                raise ValueError(
                    f"network generates {self.network.shape}, expected {latents}, the latents of the codec"
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a generated value."""
        if isinstance(self.codec, Coded):
            return self.codec.shape
        if not isinstance(self.network, Shaped):
            raise ValueError(
                f"network is a {type(self.network).__name__}, expected one that says its `shape`"
            )
        return self.network.shape

    def build(self) -> Flow:
        return Flow(self)
