"""Regions: boxes with names or features."""

import numpy as np
import pytest
import torch

from weft.core.config import from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.modalities.regions import Regions, RegionsConfig
from weft.worlds.scenes import ScenesConfig

GENERATOR = torch.Generator()
TWO = {
    "boxes": [[0.0, 0.25, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5]],
    "classes": ["cat", "dog"],
    "attributes": [["black"], []],
}


def read(modality: Regions, raw: object) -> torch.Tensor:
    return modality.transform(modality.decode(raw), train=False, generator=GENERATOR)  # type: ignore[arg-type]


def fitted(config: RegionsConfig, *raws: object) -> Regions:
    modality = config.build()
    modality.fit(raws)
    return modality


def test_names_become_numbers_and_survive_json() -> None:
    modality = fitted(RegionsConfig(), TWO, {"no": "regions"})
    assert isinstance(modality, Modality)
    assert (modality.names, modality.feature_dim) == (("black", "cat", "dog"), 3)
    expected = torch.tensor([[0, 0.25, 0.5, 1, 1, 1, 0], [0.5, 0, 1, 0.5, 0, 0, 1]])
    assert torch.equal(read(modality, TWO), expected)
    again = RegionsConfig().build()
    again.restore(modality.state())
    assert torch.equal(
        read(again, {**TWO, "classes": ["cat", "unheard of"]})[1, 4:], torch.zeros(3)
    )
    config = RegionsConfig("given", 4, format="xywh", pixels=True)
    assert from_json(to_json(config), RegionsConfig, "regions") == config


def test_pixels_width_and_height_and_given_features() -> None:
    config = RegionsConfig("given", 2, format="xywh", pixels=True)
    raw = {"boxes": [[10, 20, 30, 20]], "features": [[5, -1]], "width": 40, "height": 80}
    found = read(config.build(), raw)
    assert torch.equal(found, torch.tensor([[0.25, 0.25, 1.0, 0.5, 5, -1]]))


def test_padding_and_pictures_without_regions() -> None:
    modality = fitted(RegionsConfig(max_regions=1), TWO)
    none = read(modality, {"boxes": [], "classes": []})
    field = modality.collate([none, read(modality, TWO)])
    assert field.values.shape == (2, 1, 7)
    assert field.mask is not None
    assert field.mask.tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"boxes": [[0.5, 0, 0.2, 1], [0, 0, 1, 1]]}, r"box 0 of 2 .*inverted"),
        ({"boxes": [[0, 0, 1, 1], [0, 0, 1.2, 1]]}, r"box 1 of 2 .*leaves the picture"),
        ({"boxes": [[0, 0, 1], [0, 0, 1]]}, r"shape \(2, 3\), expected \(R, 4\)"),
        ({"boxes": [[0, 0, 1, float("nan")]]}, "not finite"),
        ({"boxes": "here"}, "expected rows of numbers"),
        ({"classes": ["cat"], "attributes": None}, "2 boxes and 1 classes"),
        ({"classes": None}, "no 'classes'"),
        ({"attributes": [[]]}, "2 classes and 1 attributes"),
    ],
)
def test_says_what_is_wrong(changed: dict[str, object], message: str) -> None:
    with pytest.raises(WeftError, match=message):
        read(fitted(RegionsConfig(), TWO), {**TWO, **changed})


def test_clip_cuts_off_what_leaves_the_picture_only() -> None:
    modality = fitted(RegionsConfig(clip=True), TWO)
    cut = read(modality, {"boxes": [[-0.5, 0, 0.5, 1.5]], "classes": ["cat"]})
    assert cut[0, :4].tolist() == [0, 0, 0.5, 1]
    with pytest.raises(WeftError, match="lies outside the picture"):
        read(modality, {"boxes": [[1.2, 0, 1.5, 1]], "classes": ["cat"]})


def test_pixels_need_a_size() -> None:
    with pytest.raises(WeftError, match="need 'width' and 'height'"):
        read(fitted(RegionsConfig(pixels=True), TWO), TWO)
    with pytest.raises(WeftError, match="0 x 5"):
        read(fitted(RegionsConfig(pixels=True), TWO), {**TWO, "width": 0, "height": 5})


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="feature_dim 0"):
        RegionsConfig("given")
    with pytest.raises(ValueError, match="max_regions is 0"):
        RegionsConfig(max_regions=0)


def test_scenes_have_regions() -> None:
    scenes = ScenesConfig(count=3).build()
    modality = RegionsConfig().build()
    modality.fit(sample.items["regions"] for sample in scenes)
    for sample in scenes:
        found = read(modality, sample.items["regions"])
        assert np.allclose(found[:, :4], sample.items["boxes"], atol=1e-4)
        told = [{n for n, v in zip(modality.names, row, strict=True) if v} for row in found[:, 4:]]
        assert told == [{o["shape"], o["color"], o["size"]} for o in sample.items["objects"]]
