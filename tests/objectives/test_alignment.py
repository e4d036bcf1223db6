"""Alignment against exact transport by linear programming."""

from dataclasses import replace

import pytest
import tiny_objectives as tiny
import torch
import torch.nn.functional as F

from weft.objectives._pairs import drawn_columns
from weft.objectives.alignment import AlignmentConfig, transport

optimize = pytest.importorskip("scipy.optimize")


def exact(costs: torch.Tensor) -> float:
    """The least cost of moving equal shares of rows onto equal shares of columns."""
    rows, columns = costs.shape
    leaving = torch.eye(rows).repeat_interleave(columns, dim=1)
    arriving = torch.eye(columns).repeat(1, rows)
    shares = [1 / rows] * rows + [1 / columns] * columns
    equal = torch.cat([leaving, arriving]).numpy()
    found = optimize.linprog(costs.flatten().numpy(), A_eq=equal, b_eq=shares)
    return float(found.fun)


def test_the_plan_is_that_of_linear_programming() -> None:
    generator = torch.Generator().manual_seed(0)
    costs = 2 * torch.rand(6, 5, 7, generator=generator)
    first = torch.arange(5) < torch.tensor([5, 1, 3, 2, 4, 5])[:, None]
    second = torch.arange(7) < torch.tensor([7, 7, 3, 1, 6, 5])[:, None]
    plan = transport(costs, first, second, beta=0.5, steps=500)
    torch.testing.assert_close(plan.sum(2), first / first.sum(1, keepdim=True), atol=1e-3, rtol=0)
    torch.testing.assert_close(plan.sum(1), second / second.sum(1, keepdim=True), atol=1e-3, rtol=0)
    for row in range(6):
        expected = exact(costs[row][first[row]][:, second[row]])
        assert float((plan[row] * costs[row]).sum()) == pytest.approx(expected, abs=5e-3)


def cost_by_hand(fused, row: int) -> float:
    text, image = (fused[s].tokens[row][fused[s].mask[row]].detach() for s in ("text", "image"))
    return exact(1 - F.normalize(text, dim=-1) @ F.normalize(image, dim=-1).T)


def test_own_pairs_are_set_against_wrong_ones() -> None:
    model, rows = tiny.model().eval(), tiny.without(tiny.batch((0, 1, 1, 2, 3, 4)), "text", [1])
    rows = replace(rows, seeds=torch.arange(6))
    streams = tiny.streams(model, rows)
    loss = AlignmentConfig(steps=500).build()(model, rows, streams)
    there = [0, 2, 3, 4, 5]
    others = rows.groups[:, None] != rows.groups[None]
    others[:, 1] = False
    taken = drawn_columns(others[there].float(), rows.uniform("alignment: a image")[there])
    text, image = streams.features("text"), streams.features("image")
    wrong = model.fuse({"text": text.take(torch.tensor(there)), "image": image.take(taken)})
    own = [cost_by_hand(streams.fused(), row) for row in there]
    apart = [cost_by_hand(wrong, row) for row in range(5)]
    assert loss.terms["own"].item() == pytest.approx(sum(own) / 5, abs=5e-3)
    assert loss.terms["wrong"].item() == pytest.approx(sum(apart) / 5, abs=5e-3)
    assert loss.total.item() == pytest.approx((sum(own) - sum(apart)) / 10, abs=5e-3)
    assert all(others[row, column] for row, column in zip(there, taken.tolist(), strict=True))


def test_wrong_pairs_stay_apart() -> None:
    """Without them, tokens that are all alike cost least."""
    model, rows = tiny.model(), tiny.batch()
    objective = AlignmentConfig().build()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        loss = objective(model, rows, tiny.streams(model, rows))
        loss.total.backward()
        optimizer.step()
    assert loss.terms["wrong"] > 2 * loss.terms["own"]
    assert loss.terms["wrong"] > 0.05


def test_no_row_with_both_costs_nothing() -> None:
    model, rows = tiny.model(), tiny.without(tiny.batch(), "text", list(range(6)))
    loss = AlignmentConfig().build()(model, rows, tiny.streams(model, rows))
    loss.total.backward()
    assert loss.total.item() == 0


def test_what_does_not_fit_is_named() -> None:
    model, rows = tiny.model(), tiny.batch()
    with pytest.raises(ValueError, match="no 'audio', they are: text, image, joint"):
        AlignmentConfig(("text", "audio")).build()(model, rows, tiny.streams(model, rows))
    with pytest.raises(ValueError, match="both streams are 'text'"):
        AlignmentConfig(("text", "text"))
    with pytest.raises(ValueError, match="steps is 0"):
        AlignmentConfig(steps=0)
