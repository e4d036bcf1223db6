import math

import pytest
import torch
from bad_numbers import assert_refused_by_name
from tiny_training import batch_at, tiny_step
from torch import nn

from weft.core.config import from_json, to_json
from weft.core.errors import WeftError
from weft.training.config import RunConfig
from weft.training.optim import EMA, OptimConfig, Schedule, parameter_groups


def test_schedule_by_hand() -> None:
    schedule = Schedule(total=12, warmup=4, floor=0.1)
    assert [schedule(turn) for turn in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert schedule(4) == pytest.approx(1.0)
    assert schedule(6) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.sqrt(0.5)))
    assert schedule(8) == pytest.approx(0.55)
    assert schedule(12) == pytest.approx(0.1)
    assert schedule(1000) == pytest.approx(0.1)


def test_constant_schedule_and_no_warmup() -> None:
    assert [Schedule(3, 0, shape="constant")(turn) for turn in range(4)] == [1.0] * 4
    assert Schedule(3, 0)(0) == 1.0


def test_groups_decay_matrices_only_and_follow_the_longest_prefix() -> None:
    step = tiny_step()
    factors = {"encoders.text": 0.1, "model.encoders.text.linear.bias": 0.5, "objectives": 2.0}
    groups = parameter_groups(step, lr=1.0, weight_decay=0.3, factors=factors)
    names = {parameter: name for name, parameter in step.named_parameters()}
    found = {
        names[parameter]: (group["lr"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }
    assert found == {
        "model.encoders.image.linear.weight": (1.0, 0.3),
        "model.encoders.image.linear.bias": (1.0, 0.0),
        "model.encoders.text.linear.weight": (0.1, 0.3),
        "model.encoders.text.linear.bias": (0.5, 0.0),
        "model.projections.image.layers.0.weight": (1.0, 0.3),
        "model.projections.text.layers.0.weight": (1.0, 0.3),
        "objectives.itc.temperature.log_scale": (2.0, 0.0),
    }


def test_a_prefix_that_matches_nothing_is_named_with_the_nearest() -> None:
    with pytest.raises(WeftError, match=r"'encoders.txt': did you mean encoders.text"):
        OptimConfig(groups={"encoders.txt": 0.1}).build(tiny_step())


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(ValueError, match="no parameter requires a gradient"):
        OptimConfig().build(tiny_step().requires_grad_(False))


def test_fused_adamw_agrees_with_the_plain_one() -> None:
    config = OptimConfig(lr=1e-2)
    fused, plain = tiny_step(), tiny_step()
    fast = config.build(fused)
    slow = torch.optim.AdamW(
        parameter_groups(plain, config.lr, config.weight_decay, {}),
        betas=config.betas,
        eps=config.eps,
        foreach=False,
    )
    assert fast.defaults["fused"]
    for turn in range(10):
        for step, optimizer in ((fused, fast), (plain, slow)):
            optimizer.zero_grad()
            step(batch_at(turn)).total.backward()
            optimizer.step()
    for one, other in zip(fused.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


def module_with_buffers() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))


@pytest.mark.parametrize("warmup", [True, False])
def test_ema_agrees_with_a_loop_by_hand(warmup: bool) -> None:
    module = module_with_buffers()
    ema = EMA(module, 0.8, warmup=warmup)
    by_hand = {n: t.clone() for n, t in module.state_dict().items() if t.is_floating_point()}
    for t in range(20):
        with torch.no_grad():
            for tensor in module.state_dict().values():
                tensor.add_(torch.randn(tensor.shape).to(tensor.dtype))
        ema.update()
        decay = min(0.8, (1 + t) / (10 + t)) if warmup else 0.8
        for name, average in by_hand.items():
            by_hand[name] = decay * average + (1 - decay) * module.state_dict()[name]
    assert ema.averages.keys() == by_hand.keys()
    for name, average in by_hand.items():
        torch.testing.assert_close(ema.averages[name], average, atol=1e-6, rtol=1e-6)


def test_ema_is_applied_and_taken_back_bit_for_bit() -> None:
    module = module_with_buffers()
    ema = EMA(module, 0.5)
    with torch.no_grad():
        module[0].weight.mul_(3)
    ema.update()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with ema.applied():
        assert torch.equal(module[0].weight, ema.averages["0.weight"])
        assert not torch.equal(module[0].weight, before["0.weight"])
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_ema_leaves_frozen_parameters_out() -> None:
    module = module_with_buffers()
    module[0].requires_grad_(False)
    assert "0.weight" not in EMA(module, 0.5).averages


@pytest.mark.parametrize("config", [OptimConfig(groups={"encoders": 0.5}), RunConfig(epochs=2)])
def test_configs_survive_json(config) -> None:
    assert from_json(to_json(config), type(config), "here") == config


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="lr is 0"):
        OptimConfig(lr=0.0)
    with pytest.raises(ValueError, match="log_every is 0, expected at least 1"):
        RunConfig(log_every=0)
    with pytest.raises(ValueError, match="patience is 0"):
        RunConfig(patience=0)


def test_epochs_become_steps() -> None:
    assert RunConfig(epochs=3).resolved(7).steps == 21
    assert RunConfig(steps=5).resolved(7).steps == 5


def test_numbers_out_of_range_are_refused_by_name() -> None:
    assert assert_refused_by_name(OptimConfig(ema=0.5)) >= 7
    assert assert_refused_by_name(RunConfig(epochs=1, patience=1)) >= 10
    with pytest.raises(ValueError, match=r"groups\['encoders'\] is inf"):
        OptimConfig(groups={"encoders": math.inf})
