"""Parts of convolutions over padded sounds: real frames alone count, and gradients are right in any layout."""

import pytest
import torch

from weft.layers.masked_convolution import PaddedBatchNorm, halved


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("width", [1, 5])
def test_norm_of_real_frames(layout: torch.memory_format, width: int) -> None:
    """Values and gradients are those of the frames by themselves, of a grid with a side of one, too."""
    torch.manual_seed(0)
    norm = PaddedBatchNorm(6).train()
    with torch.no_grad():
        norm.norm.weight.uniform_(0.5, 2)
    mask = torch.arange(9)[None] < torch.tensor([9, 4, 6, 1])[:, None]
    grid = torch.randn(4, 6, 9, width).contiguous(memory_format=layout).requires_grad_()
    weights = torch.randn(4, 6, 9, width)
    found = norm(grid, mask)
    (found * weights).sum().backward()
    real = grid.detach().transpose(1, 2)[mask].double().requires_grad_()  # (S, C, W)
    mean = real.mean((0, 2), keepdim=True)
    variance = real.var((0, 2), correction=0, keepdim=True)
    scale = norm.norm.weight.detach().double()[None, :, None]
    wanted = (real - mean) / (variance + norm.norm.eps).sqrt() * scale
    (wanted * weights.transpose(1, 2)[mask]).sum().backward()
    assert grid.grad is not None
    assert real.grad is not None
    inside = found.transpose(1, 2)[mask].double()
    torch.testing.assert_close(inside, wanted, atol=1e-5, rtol=1e-5)
    gradient = grid.grad.transpose(1, 2)
    torch.testing.assert_close(gradient[mask].double(), real.grad, atol=1e-5, rtol=1e-5)
    assert not gradient[~mask].any()


def test_one_place_alone_is_normalised_by_the_running_statistics() -> None:
    norm = PaddedBatchNorm(3).train()
    grid = torch.randn(1, 3, 1, 1)
    for mask in (None, torch.ones(1, 1, dtype=torch.bool)):
        torch.testing.assert_close(norm(grid, mask), grid, atol=1e-4, rtol=1e-4)


def test_pairs_of_which_one_is_real_are_that_one() -> None:
    grid = torch.arange(1.0, 11).view(1, 1, 5, 2)
    mask = torch.tensor([[True, True, True, False, False]])
    means, left = halved(grid * mask[:, None, :, None], mask, time=True)
    assert means.flatten().tolist() == [2.5, 5.5, 0.0]
    assert left is not None
    assert left.tolist() == [[True, True, False]]
    means, left = halved(grid, None, time=True)
    assert means.flatten().tolist() == [2.5, 6.5, 9.5]
    assert left is None
    bands, _ = halved(torch.arange(5.0).view(1, 1, 1, 5), None, time=False)
    assert bands.flatten().tolist() == [0.5, 2.5, 4.0]
