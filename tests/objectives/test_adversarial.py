"""Costs of the games against their formulas, the gradient penalty against finite differences, and the wrong pairs."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from weft.core.records import Features, Field
from weft.heads.pictures import PictureOutput
from weft.objectives import adversarial
from weft.objectives.adversarial import Game, costs_of

REAL, DRAWN = torch.tensor([2.0, -0.5, 0.3]), torch.tensor([-1.0, 0.4, 1.7])


def sigmoid_log(scores: Tensor) -> Tensor:
    return (1 / (1 + (-scores.double()).exp())).log()


@pytest.mark.parametrize(
    ("game", "critic", "generator"),
    [
        ("relativistic", -sigmoid_log(REAL - DRAWN), -sigmoid_log(DRAWN - REAL)),
        (
            "non_saturating",
            -sigmoid_log(REAL) - (1 - sigmoid_log(DRAWN).exp()).log(),
            -sigmoid_log(DRAWN),
        ),
        ("hinge", (1 - REAL).clamp_min(0) + (1 + DRAWN).clamp_min(0), -DRAWN),
        ("wasserstein", DRAWN - REAL, -DRAWN),
    ],
)
def test_costs_are_those_of_the_formulas(game: Game, critic: Tensor, generator: Tensor) -> None:
    found = costs_of(game, REAL, DRAWN)
    torch.testing.assert_close(found.critic.double(), critic.double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.generator.double(), generator.double(), atol=1e-6, rtol=0)


class Parts:
    """Scores that are a known smooth function of values and condition."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)).double()

    def see(self, values: Tensor) -> Tensor:
        return values

    def scores(self, values: Tensor, condition_BC: Tensor) -> Tensor:
        given = torch.cat([values.double(), condition_BC.double()], dim=1)
        found: Tensor = self.layers(given)[:, 0]
        return found


def test_the_steepness_is_that_of_finite_differences_and_can_be_differentiated() -> None:
    parts: Any = Parts()
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    condition = torch.randn(3, 2, generator=generator)
    found = adversarial._steepness(parts, values, condition)
    step, total = 1e-5, torch.zeros(3, dtype=torch.float64)
    for place in range(4):
        ahead, behind = values.clone(), values.clone()
        ahead[:, place] += step
        behind[:, place] -= step
        slope = (parts.scores(ahead, condition) - parts.scores(behind, condition)) / (2 * step)
        total += slope.square()
    torch.testing.assert_close(found, total.detach(), atol=1e-8, rtol=1e-6)
    weight = parts.layers[0].weight
    (gradient,) = torch.autograd.grad(found.sum(), weight)
    with torch.no_grad():
        weight[0, 0] += step
    more = adversarial._steepness(parts, values, condition).sum()
    with torch.no_grad():
        weight[0, 0] -= 2 * step
    less = adversarial._steepness(parts, values, condition).sum()
    assert float(gradient[0, 0]) == pytest.approx(
        float((more - less).detach() / (2 * step)), rel=1e-5
    )


def test_penalties_have_their_weights_and_the_middle_lies_between() -> None:
    parts: Any = Parts()
    real, made = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(2)).double()
    condition, share = torch.zeros(3, 2), torch.tensor([0.0, 1.0, 0.5]).double()
    critic = adversarial.CriticConfig(r1=2.0, r2=0.5, between=3.0).build()
    found = critic._penalty(parts, real, made, condition, share)
    middle = share[:, None] * real + (1 - share[:, None]) * made
    at = [adversarial._steepness(parts, v, condition) for v in (real, made, middle)]
    expected = at[0] + 0.25 * at[1] + 3 * (at[2].sqrt() - 1).square()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_the_own_condition_is_told_among_all_and_equal_ones_are_all_right() -> None:
    """Against a softmax over all conditions, of which the columns of equal ones are summed."""
    generator = torch.Generator().manual_seed(3)
    seen, every = torch.randn(3, 4, generator=generator), torch.randn(5, 2, generator=generator)
    every[4] = every[1]
    weight = torch.randn(2, 4, generator=generator)

    class Head:
        @staticmethod
        def decoder(both: Features) -> Tensor:
            value, condition = both.pooled.split([4, 2], dim=1)
            return ((condition @ weight) * value).sum(1, keepdim=True)

    model: Any = SimpleNamespace(head=lambda name: Head)
    parts = adversarial._Parts(model, adversarial.CriticConfig(contrast=1.0))
    found = parts.contrast(seen, every[:3], every)
    shares = (seen @ (every @ weight).T).softmax(1)
    expected = -torch.stack([shares[0, 0], shares[1, 1] + shares[1, 4], shares[2, 2]]).log()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_wrong_pair_has_another_condition_than_its_own() -> None:
    condition = torch.tensor([[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [1.0, 2.0 + 1e-6]])
    other, wrong = adversarial._others(condition, condition)
    assert torch.equal(other, condition.roll(1, 0))
    assert wrong.tolist() == [False, False, True, True]
    alone = adversarial._others(condition[:1], condition[:1])
    assert alone[1].tolist() == [False]
    assert adversarial._others(condition[:0], condition[:0])[0].shape == (0, 2)


def test_what_is_drawn_is_seen_as_the_stream_is_read() -> None:
    """Pixels of 0 to 255, with their gradient."""
    output = PictureOutput()
    values = torch.linspace(-1, 1, 12).view(1, 3, 2, 2).requires_grad_()
    field = output.field_of(values)
    assert float(field.values.min().detach()) == 0
    assert float(field.values.max().detach()) == 255
    field.values.sum().backward()
    assert values.grad is not None
    pixels = torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2) * 20
    back = output.field_of(output.values_of(Field(pixels)))
    torch.testing.assert_close(back.values, pixels.float(), atol=1e-4, rtol=0)
