"""Squares of pixels as places of a grid."""

import pytest
import torch
import torch.nn.functional as F

from weft.layers.patches import depth_to_space, space_to_depth


def test_squares_become_places_and_pixels_again() -> None:
    pixels = torch.arange(2 * 3 * 4 * 8, dtype=torch.float32).view(2, 3, 4, 8)
    places = space_to_depth(pixels, 2)
    assert torch.equal(places, F.pixel_unshuffle(pixels, 2))
    assert torch.equal(depth_to_space(places, 2), pixels)


def test_a_batch_without_rows_has_the_shape_of_places() -> None:
    assert space_to_depth(torch.zeros(0, 3, 4, 8), 4).shape == (0, 48, 1, 2)


def test_sides_that_are_no_multiples_are_refused() -> None:
    with pytest.raises(
        ValueError, match="images are 6 x 8 pixels, expected multiples of the patch size 4"
    ):
        space_to_depth(torch.zeros(1, 3, 6, 8), 4)
