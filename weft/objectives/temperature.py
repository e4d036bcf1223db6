"""The learned temperature of contrastive objectives."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.ranges import POSITIVE, require


class Temperature(nn.Module):
    """The scale 1 / temperature by which cosines are multiplied.

    It is stored as the logarithm of the scale, so that a gradient step changes it by a factor (CLIP, section 2.5).
    Its bounds are kept by projecting the stored value at each training forward, not by clamping the output: a
    clamped output has no gradient and would never change again.
    """

    def __init__(self, config: "TemperatureConfig") -> None:
        super().__init__()
        self._bounds = (-math.log(config.maximum), -math.log(config.minimum))
        log_scale = torch.tensor(-math.log(config.init))
        if config.learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self) -> Tensor:
        if self.training and self.log_scale.requires_grad:
            with torch.no_grad():
                self.log_scale.clamp_(*self._bounds)
        return self.log_scale.float().exp()


@dataclass(frozen=True)
class TemperatureConfig(Config[Temperature]):
    """A temperature of contrastive logits; CLIP starts at 0.07 and never falls below 0.01."""

    init: float = 0.07
    """Temperature at the start of training."""
    learned: bool = True
    """If false, the temperature keeps its initial value."""
    minimum: float = 0.01
    """Lower bound: logits are scaled by at most 1 / minimum."""
    maximum: float = 1.0
    """Upper bound."""

    def __post_init__(self) -> None:
        require(self, init=POSITIVE, minimum=POSITIVE, maximum=POSITIVE)
        if not 0 < self.minimum <= self.init <= self.maximum:
            raise ValueError(
                f"temperature got minimum {self.minimum}, init {self.init}, maximum {self.maximum}, "
                "expected 0 < minimum <= init <= maximum"
            )

    def build(self) -> Temperature:
        return Temperature(self)
