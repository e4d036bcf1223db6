"""Colour changes against Pillow's ImageEnhance and the standard library's colorsys."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from torch import Tensor

from weft.modalities.image_transforms import (
    JitterConfig,
    brightness,
    centre_box,
    contrast,
    hue,
    random_box,
    saturation,
)


def picture(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, 20, 30), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
@pytest.mark.parametrize(
    ("change", "enhancer"),
    [
        (brightness, ImageEnhance.Brightness),
        (contrast, ImageEnhance.Contrast),
        (saturation, ImageEnhance.Color),
    ],
)
def test_changes_equal_pillow(change, enhancer, factor: float) -> None:  # type: ignore[no-untyped-def]
    image = picture()
    expected = enhancer(Image.fromarray(image.permute(1, 2, 0).numpy())).enhance(factor)
    got = change(image.float(), factor).clamp(0, 255)
    # Pillow rounds grey to whole levels and cuts the result off instead of rounding it.
    difference = got - torch.from_numpy(np.array(expected)).permute(2, 0, 1).float()
    assert difference.abs().max() <= 1.5


@given(st.tuples(*[st.integers(0, 255)] * 3), st.floats(-0.5, 0.5, allow_nan=False))
def test_hue_turns_chroma_and_keeps_luma(colour: tuple[int, int, int], turns: float) -> None:
    turned = hue(torch.tensor(colour).float().view(3, 1, 1), turns).flatten().tolist()
    y, i, q = (255 * value for value in colorsys.rgb_to_yiq(*(c / 255 for c in colour)))
    red, green, blue = turned
    y_after = 0.299 * red + 0.587 * green + 0.114 * blue
    assert y_after == pytest.approx(
        0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2], abs=0.01
    )
    # colorsys rounds the matrix of chroma to two digits.
    _, i_after, q_after = (255 * v for v in colorsys.rgb_to_yiq(*(c / 255 for c in turned)))
    angle = 2 * np.pi * turns
    assert i_after == pytest.approx(i * np.cos(angle) - q * np.sin(angle), abs=4)
    assert q_after == pytest.approx(i * np.sin(angle) + q * np.cos(angle), abs=4)
    assert y == pytest.approx(y_after, abs=2)


def test_a_whole_turn_and_grey_change_nothing() -> None:
    image = picture().float()
    torch.testing.assert_close(hue(image, 1.0), image, atol=1e-2, rtol=0)
    grey = image[:1].expand(3, -1, -1).contiguous()
    torch.testing.assert_close(hue(grey, 0.3), grey, atol=1e-2, rtol=0)


def test_jitter_stays_within_its_strength() -> None:
    jitter = JitterConfig(brightness=0.3).build()
    image = torch.full((3, 4, 4), 100, dtype=torch.uint8)
    levels = [
        int(jitter(image, torch.Generator().manual_seed(seed))[0, 0, 0]) for seed in range(200)
    ]
    assert 70 <= min(levels) < 75
    assert 125 < max(levels) <= 130


def test_no_jitter_returns_the_picture_and_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    image = picture()
    assert JitterConfig().build()(image, generator) is image
    assert torch.equal(generator.get_state(), before)


def test_order_of_the_changes_is_random() -> None:
    jitter = JitterConfig(brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5).build()
    results = {
        jitter(picture(), torch.Generator().manual_seed(seed)).numpy().tobytes()
        for seed in range(20)
    }
    assert len(results) == 20


@pytest.mark.parametrize("changes", [{"brightness": -0.1}, {"hue": 0.6}, {"contrast": -1.0}])
def test_impossible_strengths_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        JitterConfig(**changes)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 1000))
def test_boxes_lie_inside(height: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    boxes = [
        random_box(height, width, (0.1, 1.0), (0.75, 1.33), generator),
        centre_box(height, width, 0.875),
    ]
    for top, left, box_height, box_width in boxes:
        assert top >= 0
        assert left >= 0
        assert 1 <= box_height <= height - top
        assert 1 <= box_width <= width - left
