"""Where the cells of a convolutional grid are."""

import pytest
import torch

from weft.core.records import Field
from weft.encoders.convnet import ConvNetConfig, coordinates_like, sine_positions


def test_coordinates_run_from_left_to_right_and_from_top_to_bottom() -> None:
    x, y = coordinates_like(torch.zeros(1, 3, 2, 3))[0]
    assert x.tolist() == [[-1, 0, 1]] * 2
    assert y.tolist() == [[-1] * 3, [1] * 3]


def test_positions_tell_left_from_right_by_a_linear_map() -> None:
    code_TD = sine_positions(torch.zeros(1, 16, 4, 6)).view(4, 6, 16)
    sine_of_x = code_TD[:, :, 0]
    assert (sine_of_x.diff(dim=1) > 0).all()
    assert (sine_of_x.diff(dim=0) == 0).all()
    assert (code_TD[:, :, 8].diff(dim=0) > 0).all()
    distances = torch.cdist(code_TD.flatten(0, 1), code_TD.flatten(0, 1))
    assert (distances + torch.eye(24) > 0.1).all()


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="expected a multiple of 4 for positions"):
        ConvNetConfig(widths=(8, 6), positions=True)
    with pytest.raises(ValueError, match="expected one or more"):
        ConvNetConfig(widths=())


def test_the_grid_has_half_the_side_for_each_halving() -> None:
    encoder = ConvNetConfig(widths=(4, 8, 8), halvings=2).build().eval()
    features = encoder(Field(torch.zeros(2, 3, 32, 16, dtype=torch.uint8)))
    assert features.tokens.shape == (2, 8 * 4, 8)
