"""The picture of a sound."""

import pytest
import torch

from weft.core.records import Field
from weft.modalities.sound_parts import HEIGHT, LEAST_WIDTH, MOST_WIDTH, SoundParts, drawn


@pytest.mark.parametrize(
    ("frames", "width"), [(1, LEAST_WIDTH), (30, LEAST_WIDTH), (300, 300), (5000, MOST_WIDTH)]
)
@pytest.mark.parametrize("bands", [1, 40])
def test_pictures_are_wider_than_high(frames: int, width: int, bands: int) -> None:
    pixels = drawn(torch.rand(frames, bands, generator=torch.Generator().manual_seed(0)))
    assert pixels.shape == (HEIGHT, width, 3)


def test_a_short_sound_is_widened_in_place() -> None:
    values_TM = torch.zeros(4, 8)
    values_TM[1, 0] = 1.0  # the second quarter of the time, the lowest band
    pixels_HW = drawn(values_TM)[:, :, 0]
    quarter, band = LEAST_WIDTH // 4, HEIGHT // 8
    assert pixels_HW[-band:, quarter : 2 * quarter].min() == 255
    assert int(pixels_HW.astype(int).sum()) == 255 * quarter * band


def test_parts_of_unknown_times_are_numbered() -> None:
    """A modality of one's own need not know what its frames and values mean."""
    weights = torch.zeros(4, 16)
    weights[1, 2] = 1.0
    (picture,) = SoundParts().weighed(Field(torch.rand(1, 32, 8)), weights).pictures
    assert picture.strongest == "row 2 of 4, column 3 of 16"
