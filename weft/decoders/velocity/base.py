"""The interface of a flow's network, and parts that such networks share."""

from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.records import Features
from weft.layers.positions import sine_positions

TIMES = 1000.0
"""Factor for times from 0 to 1, so that their sine encodings differ."""


@runtime_checkable
class Velocity(Protocol):
    """(noisy values, their times, the context) -> velocity, with the shape of the values.

    shape: of one value, such as (3, H, W). context_dim: width of the context's tokens and of its pooled vector.
    """

    shape: tuple[int, ...]
    context_dim: int

    def forward(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor: ...

    def __call__(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor: ...


class Condition(nn.Module):
    """Times and the pooled context -> one vector for each row, (B, D), which modulates the layers.

    The context is normalised to mean 0 and variance 1, so that small word vectors have an effect from the start.
    """

    def __init__(self, context_dim: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.time = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.norm = nn.LayerNorm(context_dim, elementwise_affine=False)
        self.context = nn.Linear(context_dim, dim)

    def forward(self, times_B: Tensor, pooled_BC: Tensor) -> Tensor:
        codes_BD = sine_positions(times_B * TIMES, self.dim).to(pooled_BC.dtype)
        condition: Tensor = F.silu(self.time(codes_BD) + self.context(self.norm(pooled_BC)))
        return condition


def zeroed(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """Sets the layer's weights to zero, so that its branch starts at zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
