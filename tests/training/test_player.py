from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from tiny_training import WIDTH, batch_at, tiny_step
from torch import nn

from weft.architectures.model import Model
from weft.core.interfaces import EncodedStreams
from weft.core.precision import Precision
from weft.core.records import Batch, Features, Field, Loss
from weft.objectives.contrastive import HingeContrastiveConfig, SoftmaxContrastiveConfig
from weft.training.config import RunConfig
from weft.training.gradients import AccumulateAndClip, GradientRule, Turn
from weft.training.optim import EMA, OptimConfig, Schedule
from weft.training.player import NonFiniteError, Player, TurnSettings
from weft.training.players import single_player
from weft.training.step import TrainStep


class Regression(nn.Module):
    """A mean over rows: the same in one piece or several."""

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:
        error = streams.features("image").pooled - batch.targets["answer"]
        total = error.square().mean()
        return Loss(total, {"error": error.detach().abs().mean()})


def regression_batch(rows: int = 10) -> Batch:
    torch.manual_seed(5)
    return replace(batch_at(0, rows), targets={"answer": torch.randn(rows, WIDTH)})


def regression_player(
    rule: GradientRule | None = None, ema: float | None = None, precision: Precision = "fp32"
) -> Player:
    step = TrainStep(tiny_step().model, {"regression": Regression()})
    optimizer = torch.optim.SGD(step.parameters(), lr=0.1)
    averages = None if ema is None else EMA(step.model, ema)
    settings = TurnSettings(precision=precision)
    return Player("main", step, optimizer, Schedule(10, 0), rule, averages, settings)


def weights(player: Player) -> Mapping[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in player.step.state_dict().items()}


@pytest.mark.parametrize("accumulate", [2, 3, 10])
def test_accumulation_of_a_mean_equals_the_whole_batch(accumulate: int) -> None:
    batch = regression_batch()
    whole, parts = regression_player(), regression_player(AccumulateAndClip(accumulate))
    for _ in range(3):
        one, other = whole.turn(batch), parts.turn(batch)
        torch.testing.assert_close(one.total, other.total, atol=1e-6, rtol=1e-6)
        assert one.terms.keys() == other.terms.keys()
        for name, value in one.terms.items():
            torch.testing.assert_close(value, other.terms[name], atol=1e-6, rtol=1e-6)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(tensor, weights(parts)[name], atol=1e-6, rtol=1e-6)


def test_clipping_limits_the_gradient_and_reports_its_own_norm() -> None:
    free, clipped = (
        regression_player(AccumulateAndClip(clip_norm=limit)) for limit in (None, 0.01)
    )
    start = weights(free)
    one, other = free.turn(regression_batch()), clipped.turn(regression_batch())
    norm = one.terms["gradient_norm"]
    torch.testing.assert_close(norm, other.terms["gradient_norm"])
    assert norm > 0.01

    def moved(player: Player) -> torch.Tensor:
        return torch.cat([(t - start[n]).flatten() for n, t in weights(player).items()]).norm()

    assert moved(free).item() == pytest.approx(0.1 * norm.item(), rel=1e-4)
    assert moved(clipped).item() == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_a_rule_decides_what_the_optimizer_follows() -> None:
    class Rows:
        """The gradient of each row by itself, with a norm of at most 0.1."""

        def __call__(self, turn: Turn, batch: Batch) -> tuple[Loss, torch.Tensor]:
            found = [torch.zeros_like(p) for p in turn.parameters]
            for row in range(len(batch)):
                loss = turn.loss(batch.rows(slice(row, row + 1)))
                turn.backward(loss)
                grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in turn.parameters]
                norm = torch.cat([grad.flatten() for grad in grads]).norm()
                share = (0.1 / norm).clamp(max=1) / len(batch)
                found = [one + grad * share for one, grad in zip(found, grads, strict=True)]
                for parameter in turn.parameters:
                    parameter.grad = None
            for parameter, gradient in zip(turn.parameters, found, strict=True):
                parameter.grad = gradient
            return loss, torch.cat([gradient.flatten() for gradient in found]).norm()

    one = regression_player(Rows())
    start = weights(one)
    norm = one.turn(regression_batch()).terms["gradient_norm"]
    assert norm <= 0.1
    moved = torch.cat([(t - start[n]).flatten() for n, t in weights(one).items()]).norm()
    assert moved.item() == pytest.approx(0.1 * norm.item(), rel=1e-4)


def test_schedule_drives_every_group() -> None:
    step = tiny_step()
    optim = OptimConfig(lr=1e-2, warmup=0.5, groups={"encoders": 0.1})
    one = single_player(step, optim, RunConfig(steps=4, device="cpu"))
    rates = []
    for turn in range(4):
        one.turn(batch_at(turn))
        rates.append(sorted({group["lr"] for group in one.optimizer.param_groups}))
    factors = [0.5, 1.0, 1.0, 0.5]
    assert rates == [pytest.approx([1e-3 * f, 1e-2 * f]) for f in factors]


def test_ema_follows_the_turns() -> None:
    one = regression_player(ema=0.5)
    before = weights(one)["model.encoders.image.linear.weight"]
    one.turn(regression_batch())
    after = weights(one)["model.encoders.image.linear.weight"]
    average = one.ema.averages["encoders.image.linear.weight"]
    torch.testing.assert_close(average, 0.1 * before + 0.9 * after)


def test_bf16_trains_close_to_fp32() -> None:
    full = regression_player()
    half = regression_player(precision="bf16")
    for _ in range(3):
        one, other = full.turn(regression_batch()), half.turn(regression_batch())
    assert one.total != other.total
    torch.testing.assert_close(one.total, other.total, rtol=0.02, atol=0.0)
    assert all(p.dtype == torch.float32 for p in half.step.parameters())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_changes_nothing_and_names_the_rows(value: float) -> None:
    one = regression_player(AccumulateAndClip(2), ema=0.9)
    one.turn(regression_batch())
    before, averages = weights(one), {n: t.clone() for n, t in one.ema.averages.items()}
    batch = regression_batch(30)
    batch.targets["answer"][3] = value
    with pytest.raises(NonFiniteError, match=r"row-0-0, row-0-1.*\(30 rows\)") as caught:
        one.turn(batch)
    assert caught.value.ids == list(batch.ids)
    assert one.turns == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(one).items())
    assert all(torch.equal(tensor, averages[n]) for n, tensor in one.ema.averages.items())


def test_a_gradient_that_is_not_finite_is_refused_too() -> None:
    one = regression_player()
    one.step.model.encoders["image"].linear.weight.register_hook(lambda g: g * float("inf"))
    with pytest.raises(NonFiniteError, match="its gradient's norm (inf|nan)"):
        one.turn(regression_batch())


def test_weights_of_objectives() -> None:
    model = tiny_step().model
    parts = {"soft": SoftmaxContrastiveConfig().build(), "hard": HingeContrastiveConfig().build()}
    loss = TrainStep(model, parts, {"hard": 3.0})(batch_at(0))
    terms = loss.terms
    torch.testing.assert_close(loss.total, terms["soft/loss"] + 3 * terms["hard/loss"])
    assert "soft/temperature" in terms
    with pytest.raises(ValueError, match="'harder'"):
        TrainStep(model, parts, {"harder": 3.0})


class Counting(nn.Module):
    """An encoder that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.calls, self.scale = WIDTH, 0, nn.Parameter(torch.ones(()))

    def forward(self, field: Field) -> Features:
        self.calls += 1
        tokens = field.values * self.scale
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool), tokens.mean(1))


def test_objectives_share_one_forward() -> None:
    encoder = Counting()
    model = Model({"image": encoder, "text": Counting()})
    objectives = {"one": Regression(), "two": Regression()}
    loss = TrainStep(model, objectives)(regression_batch())
    loss.total.backward()
    assert encoder.calls == 1
