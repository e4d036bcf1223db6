import numpy as np
import pytest
import torch

from weft.core.config import from_json, to_json
from weft.core.interfaces import Modality, views_of
from weft.core.media import media_of
from weft.encoders.regions import RegionsConfig
from weft.modalities.grid_regions import GridRegionsConfig, grid_boxes
from weft.modalities.image import ImageConfig, mirrored

PICTURE = ImageConfig(size=12, crop_scale=None, flip=0.0)
CONFIG = GridRegionsConfig(PICTURE, cells=3)


def regions(array: np.ndarray, config: GridRegionsConfig = CONFIG) -> torch.Tensor:
    modality = config.build()
    item = modality.decode(media_of(array, "image"))
    return modality.transform(item, train=False, generator=torch.Generator())


def test_is_a_modality_with_a_config_that_survives_json() -> None:
    assert isinstance(CONFIG.build(), Modality)
    assert from_json(to_json(CONFIG), GridRegionsConfig, "test") == CONFIG


def test_each_region_holds_the_pixels_within_its_box() -> None:
    array = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    found = regions(array)
    assert found.shape == (9, 4 + CONFIG.feature_dim)
    for box, features in zip(found[:, :4].tolist(), found[:, 4:], strict=True):
        left, top, right, bottom = (round(12 * edge) for edge in box)
        assert (right - left, bottom - top) == (4, 4)
        part = torch.from_numpy(array[top:bottom, left:right]).permute(2, 0, 1).flatten()
        torch.testing.assert_close(features, part / 127.5 - 1)


def test_boxes_go_row_by_row_and_cover_the_picture() -> None:
    boxes = grid_boxes(2)
    wanted = [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert boxes.tolist() == wanted


def test_an_encoder_of_regions_reads_a_batch_of_grids() -> None:
    random = np.random.default_rng(1)
    arrays = [random.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(2)]
    field = CONFIG.build().collate([regions(array) for array in arrays])
    features = RegionsConfig(CONFIG.feature_dim, 8).build()(field)
    assert features.tokens.shape == (2, 9, 8)
    assert features.mask.all()


def test_views_of_the_picture_are_views_of_the_grid() -> None:
    config = GridRegionsConfig(PICTURE.replace(eval_views=mirrored()), cells=3)
    modality = config.build()
    array = np.random.default_rng(2).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    item = modality.decode(media_of(array, "image"))
    plain, flipped = (
        modality.transform(item, train=False, generator=torch.Generator(), view=view)
        for view in range(views_of(modality))
    )
    assert torch.equal(flipped, regions(array[:, ::-1].copy()))
    assert not torch.equal(flipped, plain)


def test_cells_must_divide_the_picture() -> None:
    with pytest.raises(ValueError, match="cells is 5, expected a divisor of picture.size, 12"):
        CONFIG.replace(cells=5)
