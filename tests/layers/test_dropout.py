"""Dropout: its chance, its mean, its gradient, and that a seed decides."""

import pytest
import torch

from weft.layers.dropout import Dropout, dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("chance", [0.1, 0.25, 0.5, 0.9])
def test_values_are_dropped_with_the_chance_and_keep_their_mean(chance, dtype) -> None:
    torch.manual_seed(0)
    values = torch.ones(501, 103, dtype=dtype)
    got = dropout(values, chance)
    assert got.dtype == dtype
    dropped = (got == 0).float()
    # Four standard deviations, and the rounding of the chance.
    tolerance = 4 * (chance * (1 - chance) / values.numel()) ** 0.5 + 1 / 512
    assert dropped.mean().item() == pytest.approx(chance, abs=tolerance)
    assert got.float().mean().item() == pytest.approx(1, abs=5 * tolerance / (1 - chance) + 0.004)
    # Neighbours are decided by other bits of one integer.
    pairs = torch.corrcoef(torch.stack([dropped[:, :-1].flatten(), dropped[:, 1:].flatten()]))
    assert abs(pairs[0, 1]) < 0.02
    assert dropped.mean(0).std() < 3 * (chance * (1 - chance) / 501) ** 0.5


def test_the_gradient_passes_where_the_value_did() -> None:
    torch.manual_seed(0)
    values = torch.randn(40, 7, requires_grad=True)
    got = dropout(values, 0.5)
    got.sum().backward()
    torch.testing.assert_close(values.grad, torch.where(got == 0, 0.0, 2.0))


def test_the_seed_decides() -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return dropout(torch.ones(99), 0.3)

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_nothing_is_dropped_in_use_or_with_no_chance() -> None:
    layer, values = Dropout(0.5), torch.randn(30)
    assert not torch.equal(layer(values), values)
    assert layer.eval()(values) is values
    assert Dropout(0.0)(values) is values
    assert dropout(torch.empty(0, 3), 0.5).shape == (0, 3)
