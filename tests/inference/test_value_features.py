"""Features of real values, and of their mean."""

import numpy as np
import torch

from weft.core.records import Field
from weft.inference.value_features import MeanValue


def test_the_mean_of_pictures_is_rounded_over_all_parts() -> None:
    mean = MeanValue()
    pixels = torch.randint(0, 256, (7, 3, 4, 4), dtype=torch.uint8)
    for part in (pixels[:3], pixels[3:]):
        mean.add(Field(part))
    expected = np.rint(pixels.numpy().astype(np.float64).mean(0))
    np.testing.assert_array_equal(mean.field().values[0].numpy(), expected.astype(np.uint8))


def test_a_frame_of_the_mean_sound_is_of_the_sounds_that_are_so_long() -> None:
    mean = MeanValue()
    mean.add(Field(torch.full((1, 2, 3), 4.0), torch.tensor([[True, False]])))
    mean.add(
        Field(torch.full((2, 3, 3), 1.0), torch.tensor([[True, True, True], [True, True, False]]))
    )
    found = mean.field()
    assert found.values[0, :, 0].tolist() == [2.0, 1.0, 1.0]
    assert found.values.dtype == torch.float32
