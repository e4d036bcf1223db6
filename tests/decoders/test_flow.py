"""A rectified flow solves known fields: a straight one exactly, a linear one with the order of its solver."""

import itertools
import math

import pytest
import torch
from tiny_decoders import WIDTH, contexts
from torch import Tensor, nn

from weft.core.records import Features
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import Flow

NOISE = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Known(nn.Module):
    """A field that is given as a function of values, times and the pooled context."""

    shape, context_dim = (4,), WIDTH

    def __init__(self, field) -> None:
        super().__init__()
        self.field = field

    def forward(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor:
        return self.field(values_BX, times_B[:, None].to(values_BX.dtype), context.pooled)


class KnownConfig:
    predicts, codec = "velocity", None

    def __init__(self, field) -> None:
        self.network = self
        self.field = field

    def build(self) -> Known:
        return Known(self.field)


def drawn(field, **way: object) -> Tensor:
    flow = Flow(KnownConfig(field))  # type: ignore[arg-type]
    with torch.no_grad():
        flow.no_context.fill_(0.5)
    # float() in the sampler is for half precision; here the order needs float64.
    Tensor.float, kept = Tensor.double, Tensor.float
    try:
        return flow.draw(contexts(), NOISE, DrawingConfig(**way))  # type: ignore[arg-type]
    finally:
        Tensor.float = kept


@pytest.mark.parametrize("solver", ["euler", "heun"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_straight_field_is_solved_exactly_in_any_number_of_steps(solver: str, steps: int) -> None:
    target = torch.arange(4.0, dtype=torch.float64)
    found = drawn(lambda x, t, c: target - NOISE, steps=steps, solver=solver)
    torch.testing.assert_close(found, target.expand(3, 4))


def test_the_error_falls_with_the_order_of_the_solver() -> None:
    """dx/dt = cos(3 t) - x, whose solution is known, with equal and shifted steps. Heun's last step is one of Euler's, whose error is of second order."""

    def field(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        return torch.cos(3 * t) - x

    def exact() -> Tensor:
        at = (math.cos(3) + 3 * math.sin(3)) / 10
        return at + (NOISE - 0.1) * math.exp(-1)

    for solver, order, shift in (("euler", 1.0, 1.0), ("heun", 2.0, 1.0), ("euler", 1.0, 2.0)):
        errors = [
            float((drawn(field, steps=steps, solver=solver, shift=shift) - exact()).abs().max())
            for steps in (20, 40, 80)
        ]
        for coarse, fine in itertools.pairwise(errors):
            assert math.log2(coarse / fine) == pytest.approx(order, abs=0.2), solver


def test_shifted_times_are_nearer_to_the_noise() -> None:
    asked: list[float] = []

    def field(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        asked.append(float(t[0, 0]))
        return torch.ones_like(x)

    torch.testing.assert_close(drawn(field, steps=4, shift=3.0), NOISE + 1)
    assert asked == pytest.approx([0, 1 / 10, 1 / 4, 1 / 2])  # and the last step ends at 1
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="shift is"):
            DrawingConfig(shift=wrong)


def test_guidance_is_the_mixture_of_both_fields() -> None:
    def field(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        return c[:, :4].to(x.dtype).expand_as(x)

    plain = drawn(field, steps=4)
    for guidance in (0.0, 1.0, 2.5):
        found = drawn(field, steps=4, guidance=guidance)
        away = plain - NOISE
        expected = NOISE + 0.5 + guidance * (away - 0.5)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    calls: list[int] = []

    def counted(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        calls.append(len(x))
        return c[:, :4].to(x.dtype)

    drawn(counted, steps=3)
    assert len(calls) == 3  # without guidance nothing is computed without the context
    drawn(counted, steps=3, guidance=2.0)
    assert len(calls) == 3 + 6


def test_steps_outside_the_guided_times_follow_the_context_alone() -> None:
    calls: list[int] = []

    def field(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        calls.append(len(x))
        return c[:, :4].to(x.dtype)

    plain = drawn(field, steps=4)
    calls.clear()
    found = drawn(field, steps=4, guidance=3.0, guided=(0.25, 0.75))
    assert len(calls) == 4 + 2
    away = plain - NOISE
    torch.testing.assert_close(found, NOISE + away + 0.5 * 2 * (away - 0.5), atol=1e-6, rtol=0)
    for wrong in ((0.5, 0.5), (-0.1, 1.0), (0.0, 1.1)):
        with pytest.raises(ValueError, match="guided is"):
            DrawingConfig(guided=wrong)


def test_a_row_without_context_is_drawn_as_without_it() -> None:
    """The last row of the contexts has no token: what it has learned in the place of one is 0.5."""
    found = drawn(lambda x, t, c: c[:, :4].to(x.dtype), steps=1)
    torch.testing.assert_close(found[2], NOISE[2] + 0.5)
