"""Batch norm over ranks is batch norm over their rows."""

import itertools
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import two_ranks
from torch import Tensor, nn

from weft.layers.batch_norm import SynchronisedBatchNorm, synchronise

SHAPES = {"pictures": (7, 5, 4, 3), "vectors": (7, 5)}
CUTS = {"uneven": [slice(0, 2), slice(2, 7)], "one without rows": [slice(0, 7), slice(7, 7)]}
MOMENTA = (0.1, None)


def norm(momentum: float | None) -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.BatchNorm2d(5, momentum=momentum))
    nn.init.normal_(module[0].weight)
    nn.init.normal_(module[0].bias)
    return module


def rows(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Values far from zero, and what the gradient of each output is."""
    generator = torch.Generator().manual_seed(1)
    values = 100 + 3 * torch.randn(shape, generator=generator)
    return values, torch.randn(shape, generator=generator)


def computed(
    module: nn.Module, values: Tensor, weights: Tensor, times: int = 3
) -> dict[str, Tensor]:
    values.requires_grad_()
    for _ in range(times):
        output = module(values)
    (output * weights).sum().backward()
    found = {"output": output.detach(), "input": values.grad}
    found |= {name: p.grad for name, p in module.named_parameters()}
    return found | {name: b.float() for name, b in module.named_buffers()}


def on_rank(rank: int) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, momentum, cut in itertools.product(SHAPES, MOMENTA, CUTS):
        module, own = norm(momentum), CUTS[cut][rank]
        synchronise(module)
        kept = computed(module, *(part[own].clone() for part in rows(SHAPES[name])))
        for key in ("output", "input"):
            padded = torch.zeros(SHAPES[name])
            padded[own] = kept[key]
            kept[key] = padded
        for key in ("output", "input", "0.weight", "0.bias"):
            dist.all_reduce(kept[key])
        found |= {f"{name}/{momentum}/{cut}/{key}": value for key, value in kept.items()}
    return found


def test_two_ranks_with_unequal_rows_are_as_one(tmp_path: Path) -> None:
    found = two_ranks.found(__file__, tmp_path)
    for name, momentum in itertools.product(SHAPES, MOMENTA):
        module = norm(momentum)
        if len(SHAPES[name]) == 2:
            one = nn.BatchNorm1d(5, momentum=momentum)
            one.load_state_dict(module[0].state_dict())
            module = nn.Sequential(one)
        for key, value in computed(module, *rows(SHAPES[name])).items():
            for cut in CUTS:
                torch.testing.assert_close(
                    found[f"{name}/{momentum}/{cut}/{key}"], value, atol=1e-4, rtol=1e-4, msg=key
                )


def test_it_keeps_names_and_values_and_is_torch_s_own_on_one_rank() -> None:
    plain, made = norm(0.1), norm(0.1)
    parameters = dict(made.named_parameters())
    synchronise(made)
    synchronise(made)
    assert isinstance(made[0], SynchronisedBatchNorm)
    assert all(p is parameters[name] for name, p in made.named_parameters())
    assert made.state_dict().keys() == plain.state_dict().keys()
    values, weights = rows(SHAPES["pictures"])
    one, other = (computed(m, values.clone(), weights) for m in (plain, made))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(plain.eval()(values), made.eval()(values))
    with pytest.raises(ValueError, match="1 dimensions, expected at least 2"):
        made(torch.zeros(5))


if __name__ == "__main__":
    two_ranks.main(on_rank)
