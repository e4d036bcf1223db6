import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.layers.convolution import Normalize, PointwiseConv2d, SameConv2d, channels_last


def test_normalize_is_mean_and_std_of_unit_pixels() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(2, 3, 16, 16)
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.25, 0.2)
    wanted = (pixels / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    got = Normalize(mean, std)(pixels, torch.float32)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)
    assert Normalize(mean, std)(pixels, torch.bfloat16).dtype == torch.bfloat16
    assert Normalize(mean, std).state_dict() == {}


def test_normalize_refuses_what_is_not_uint8_rgb() -> None:
    normalize = Normalize((0.5,) * 3, (0.5,) * 3)
    with pytest.raises(ValueError, match="expected torch.uint8"):
        normalize(torch.zeros(1, 3, 4, 4), torch.float32)
    with pytest.raises(ValueError, match="with 3 = 3"):
        normalize(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.float32)
    with pytest.raises(ValueError, match="expected positive"):
        Normalize((0.5,) * 3, (0.5, 0.0, 0.5))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.sampled_from([1, 3, 5]))
@settings(deadline=None, max_examples=40)
def test_same_padding_gives_size_over_stride(h: int, w: int, stride: int, kernel: int) -> None:
    conv = SameConv2d(1, 1, kernel, stride)
    assert conv(torch.zeros(1, 1, h, w)).shape[2:] == (-(-h // stride), -(-w // stride))


def test_same_padding_puts_the_odd_pixel_right_and_bottom() -> None:
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    torch.nn.init.zeros_(conv.weight)
    conv.weight.data[0, 0, 0, 0] = 1.0  # the filter's top left pixel
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert conv(image).flatten().tolist() == [0.0, 2.0, 8.0, 10.0]


def test_channels_last_changes_the_layout_not_the_values() -> None:
    conv = torch.nn.Conv2d(3, 4, 3)
    before = conv.weight.detach().clone()
    channels_last(conv)
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(conv.weight, before)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_pointwise_convolution_is_the_strided_one(stride: int) -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 9, 7, 8)
    ours = PointwiseConv2d(9, 10, 1, stride=stride)
    theirs = torch.nn.Conv2d(9, 10, 1, stride=stride)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(images), theirs(images))
    ours(images).square().sum().backward()
    theirs(images).square().sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_few_channels_channels_last_with_a_stride_keep_the_memory_whole() -> None:
    conv = PointwiseConv2d(4, 8, 1, stride=2, bias=False)
    channels_last(conv)
    for _ in range(20):
        images = torch.randn(8, 4, 16, 16).contiguous(memory_format=torch.channels_last)
        conv(images.requires_grad_()).square().sum().backward()
    assert conv.weight.grad is not None
    assert conv.weight.grad.isfinite().all()
