"""A gradient rule from outside the package: each row's gradient is clipped, and noise is added to the sum.

Abadi et al. 2016, arXiv:1607.00133, algorithm 1. `python private_rule.py RANK FOLDER` is one of two ranks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import two_ranks
from torch import Tensor

from weft.architectures.model import Model, ModelConfig
from weft.core.config import Config
from weft.core.distributed import rank, sum_of_all, world_size
from weft.core.ranges import NOT_NEGATIVE, POSITIVE, require
from weft.core.records import Batch, Field, Loss
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.objectives.classification import ClassificationConfig
from weft.training.config import RunConfig
from weft.training.gradients import GradientRule, Turn
from weft.training.optim import OptimConfig
from weft.training.player import Player
from weft.training.players import build_players
from weft.training.step import TrainStep

ROWS, WORDS, CLASSES, DIM = 4, 9, 3, 8


class PerRow:
    """The mean over rows of their gradients, each clipped to a norm, with Gaussian noise."""

    def __init__(self, config: "PerRowConfig") -> None:
        self.config = config

    def __call__(self, turn: Turn, batch: Batch) -> tuple[Loss, Tensor]:
        sums = [torch.zeros_like(parameter) for parameter in turn.parameters]
        losses = []
        for row in range(len(batch)):
            loss = turn.loss(batch.rows(slice(row, row + 1)))
            own = torch.autograd.grad(loss.total, turn.parameters)
            scale = (self.config.norm / norm_of(own)).clamp(max=1)
            sums = [total + scale * gradient for total, gradient in zip(sums, own, strict=True)]
            losses.append(loss.total.detach())
        rows = sum_of_all(torch.tensor(float(len(batch))))
        for parameter, total in zip(turn.parameters, sums, strict=True):
            noise = torch.randn_like(total) * self.config.noise * self.config.norm
            # Rank 0 alone adds noise: there is one sum of all ranks.
            parameter.grad = sum_of_all(total + noise if rank() == 0 else total) / rows
        gradients = [parameter.grad for parameter in turn.parameters]
        return Loss(torch.stack(losses).mean(), {}), norm_of(gradients)


def norm_of(gradients: Sequence[Tensor | None]) -> Tensor:
    return torch.stack([one.norm() for one in gradients if one is not None]).norm()


@dataclass(frozen=True)
class PerRowConfig(Config[GradientRule]):
    """Clips each row's gradient and adds noise."""

    norm: float = 1.0
    """Greatest norm of a row's gradient."""
    noise: float = 0.0
    """Standard deviation of the noise in the sum over rows, as a multiple of `norm`."""

    def __post_init__(self) -> None:
        require(self, norm=POSITIVE, noise=NOT_NEGATIVE)

    def build(self) -> PerRow:
        return PerRow(self)


def model() -> Model:
    torch.manual_seed(0)
    words = TextTransformerConfig(WORDS, dim=DIM, depth=1, heads=2, max_length=5)
    head = HeadConfig(ClassifierConfig(DIM, CLASSES), ClassOutput("answer"), context="text")
    return ModelConfig(encoders={"text": words}, heads={"answer": head}).build()


def player_of(rule: Config[GradientRule] | None, steps: int = 10) -> Player:
    step = TrainStep(model(), {"answer": ClassificationConfig().build()})
    run = RunConfig(steps=steps, batch_size=ROWS, device="cpu")
    return build_players(step, {}, OptimConfig(), run, rule)[0]


def batch_at(number: int) -> Batch:
    """This rank's share of the rows."""
    draws = torch.Generator().manual_seed(number)
    ids = torch.randint(1, WORDS, (ROWS, 5), generator=draws)
    share = slice(ROWS * rank() // world_size(), ROWS * (rank() + 1) // world_size())
    text = Field(ids, torch.ones_like(ids, dtype=torch.bool))
    answer = torch.randint(CLASSES, (ROWS,), generator=draws)
    whole = Batch({"text": text}, "abcd", torch.arange(ROWS), {"answer": answer})
    return whole.rows(share)


def trained(rule: Config[GradientRule], steps: int = 3) -> dict[str, Tensor]:
    """The weights after some turns, and their losses and gradients' norms."""
    player, found = player_of(rule), {}
    for number in range(steps):
        torch.manual_seed(number)
        loss = player.turn(batch_at(number))
        found |= {f"loss {number}": loss.total, f"norm {number}": loss.terms["gradient_norm"]}
    return {**found, **{name: p.detach() for name, p in player.step.named_parameters()}}


NOISY = PerRowConfig(norm=0.5, noise=0.3)

if __name__ == "__main__":
    two_ranks.main(lambda _: trained(NOISY))
