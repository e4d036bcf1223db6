"""Panels: a picture of several panels in a row."""

import numpy as np
import pytest
import torch

from weft.core.config import from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.media import media_of
from weft.modalities.image_sequence import ImageSequenceConfig


def picture() -> np.ndarray:
    """Three panels of 4 x 4, each of its own grey, with white between them."""
    pixels = np.full((4, 16, 3), 255, np.uint8)
    for place, grey in enumerate((10, 20, 30)):
        pixels[:, place * 6 : place * 6 + 4] = grey
    return pixels


def test_cut_shrunk_and_in_order() -> None:
    config = ImageSequenceConfig(gap=2)
    modality = config.build()
    assert isinstance(modality, Modality)
    assert from_json(to_json(config), ImageSequenceConfig, "panels") == config
    item = modality.decode(media_of(picture(), "image"))
    assert item.shape == (3, 3, 2, 2)
    assert item.dtype == torch.uint8
    assert [panel.unique().tolist() for panel in item] == [[10], [20], [30]]
    assert modality.collate([item, item]).values.shape == (2, 3, 3, 2, 2)


def test_shrinking_takes_the_mean_and_leaves_the_rest() -> None:
    pixels = np.zeros((3, 3, 3), np.uint8)
    pixels[0, 0] = 40
    item = ImageSequenceConfig(count=1, gap=0).build().decode(media_of(pixels, "image"))
    assert item.tolist() == [[[[10]], [[10]], [[10]]]]


def test_training_shuffles_and_views_turn() -> None:
    modality = ImageSequenceConfig(gap=2, eval_orders=True).build()
    item = modality.decode(media_of(picture(), "image"))

    def order(**how: object) -> list[int]:
        generator = torch.Generator().manual_seed(0)
        seen = modality.transform(item, generator=generator, **how)  # type: ignore[arg-type]
        return seen[:, 0, 0, 0].tolist()

    assert modality.views == 3
    assert [order(train=False, view=v) for v in range(3)] == [
        [10, 20, 30],
        [20, 30, 10],
        [30, 10, 20],
    ]
    orders = set()
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        orders.add(
            tuple(modality.transform(item, train=True, generator=generator)[:, 0, 0, 0].tolist())
        )
    assert len(orders) == 6


def test_says_what_is_wrong() -> None:
    with pytest.raises(WeftError, match="16 pixels wide, expected 3 panels"):
        ImageSequenceConfig(gap=3).build().decode(media_of(picture()[:, :, :], "image"))
    with pytest.raises(ValueError, match="shrink is 0"):
        ImageSequenceConfig(shrink=0)
