"""The convolution over time against `nn.Conv1d`, forward and backward."""

import pytest
import torch
from torch import nn

from weft.layers.time_convolution import TimeConvolution


@pytest.mark.parametrize(
    "settings",
    [
        {"padding": 2},
        {"padding": 8, "dilation": 4},
        {"stride": 2, "padding": 1},
        {"groups": 2, "bias": False},
    ],
)
@pytest.mark.parametrize("frames", [1, 17])
def test_it_is_the_convolution_of_torch(settings: dict[str, int], frames: int) -> None:
    torch.manual_seed(0)
    ours, theirs = (kind(6, 4, 5, **settings) for kind in (TimeConvolution, nn.Conv1d))
    theirs.load_state_dict(ours.state_dict())
    if frames + 2 * settings.get("padding", 0) < 5:
        with pytest.raises(RuntimeError, match="Kernel size"):
            ours(torch.zeros(3, frames, 6))
        return
    values = torch.randn(3, frames, 6, requires_grad=True)
    copy = values.detach().clone().requires_grad_()
    found, expected = ours(values), theirs(copy.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    found.square().sum().backward()
    expected.square().sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, copy.grad, atol=1e-4, rtol=1e-4)
    for name, one in ours.named_parameters():
        torch.testing.assert_close(
            one.grad, theirs.get_parameter(name).grad, atol=1e-4, rtol=1e-4, msg=name
        )
