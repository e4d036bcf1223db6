"""The projection discriminator: scores how real a value looks, and how well it fits a condition."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field


class ProjectionCritic(nn.Module):
    """(B, D + C) the vector of a value, concatenated with that of its condition, -> scores (B, 1).

    The score is a linear map of the value plus the inner product of both, projected to one width (Miyato & Koyama
    2018, arXiv:1802.05637, equation 3). For a value alone (B, D) it is the linear map. The condition is normalised
    first: conditions of small numbers are otherwise learned so slowly that the generator learns to ignore them.
    """

    def __init__(self, config: "ProjectionCriticConfig") -> None:
        super().__init__()
        self.config = config
        self.score = nn.Linear(config.in_dim, 1)
        if config.condition:
            self.value = nn.Linear(config.in_dim, config.dim, bias=False)
            self.condition = nn.Linear(config.condition, config.dim)

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:  # noqa: ARG002
        """Reads no prefix."""
        width, (of_value, of_both) = context.pooled.shape[1], self.config.widths
        if width not in (of_value, of_both):
            raise ValueError(f"the context is {width} wide, expected {of_value} or {of_both}")
        value_BD, condition_BC = torch.tensor_split(context.pooled, [of_value], dim=1)
        score_B1: Tensor = self.score(value_BD)
        if not condition_BC.shape[1]:
            return score_B1
        condition_BC = F.layer_norm(condition_BC, condition_BC.shape[1:])
        fit_B = (self.value(value_BD) * self.condition(condition_BC)).sum(1)
        found: Tensor = score_B1 + fit_B[:, None] * self.config.dim**-0.5
        return found


@dataclass(frozen=True)
class ProjectionCriticConfig(Config[Decoder]):
    """The projection discriminator: scores a value and its condition."""

    in_dim: int
    """Width of the vector of a value."""
    condition: int = 0
    """Width of the vector of its condition; 0 for none."""
    dim: int = 128
    """Width of the inner product."""

    def __post_init__(self) -> None:
        require(self, in_dim=COUNT, condition=at_least(0), dim=COUNT)

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of the context without and with the condition."""
        return self.in_dim, self.in_dim + self.condition

    @property
    def outputs(self) -> int:
        return 1

    def build(self) -> ProjectionCritic:
        return ProjectionCritic(self)
