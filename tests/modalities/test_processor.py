"""What pretrained models say of their pictures, against the processors of transformers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from weft.core.errors import WeftError
from weft.core.media import media_of
from weft.modalities.image import ImageConfig
from weft.modalities.processor import Processor, image_of, read_processor

SQUARE = {"height": 32, "width": 32}
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("CLIPImageProcessor", {"size": {"shortest_edge": 32}, "crop_size": SQUARE}),
    ("CLIPImageProcessor", {"size": {"shortest_edge": 40}, "crop_size": SQUARE, "resample": 2}),
    ("ViTImageProcessor", {"size": SQUARE}),
    ("ViTImageProcessor", {"size": SQUARE, "do_normalize": False}),
    ("ViTImageProcessor", {"size": SQUARE, "rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3}),
    ("SiglipImageProcessor", {"size": SQUARE, "image_std": [0.2, 0.3, 0.4]}),
    ("DeiTImageProcessor", {"size": {"height": 40, "width": 40}, "crop_size": SQUARE}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 32}, "crop_pct": 0.8}),
    (
        "EfficientNetImageProcessor",
        {"size": SQUARE, "rescale_offset": True, "rescale_factor": 1 / 127.5, "include_top": False},
    ),
]


def smooth(width: int, height: int) -> Picture.Image:
    across = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 1))
    down = np.linspace(255, 0, height)[:, None, None] * np.ones((1, width, 1))
    return Picture.fromarray(np.concatenate([across, down, (across + down) / 2], 2).astype("uint8"))


@pytest.mark.parametrize(("kind", "settings"), SETTINGS)
@pytest.mark.parametrize("nested", [False, True])
def test_pictures_are_what_the_model_s_own_processor_makes(
    kind: str, settings: dict[str, Any], nested: bool, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    own = getattr(transformers, kind)(**settings)
    own.save_pretrained(tmp_path)
    if nested:
        file = tmp_path / "preprocessor_config.json"
        (tmp_path / "processor_config.json").write_text(
            json.dumps({"image_processor": json.loads(file.read_text())})
        )
        file.write_text(json.dumps({"image_mean": [9, 9, 9], "image_std": [9, 9, 9]}))
    picture = smooth(96, 64)
    wanted = torch.as_tensor(np.asarray(own([picture], return_tensors="np")["pixel_values"]))[0]
    image = image_of(str(tmp_path)).build()
    seen = image.transform(
        image.decode(media_of(np.asarray(picture), "image")),
        train=False,
        generator=torch.Generator(),
    )
    processor = read_processor(tmp_path)
    assert processor.mean is not None
    assert processor.std is not None
    mean, std = (torch.tensor(values)[:, None, None] for values in (processor.mean, processor.std))
    got = (seen / 255 - mean) / std
    assert got.shape == wanted.shape
    # A few of 255 grey levels: sizes are rounded, and cut before they are resized.
    assert ((got - wanted) * std).abs().max() * 255 < 4


def test_a_folder_that_says_nothing() -> None:
    assert read_processor(Path("/no/such/folder")) == Processor()
    base = ImageConfig(size=96, fit="pad")
    assert Processor().image(base) == base


def test_an_old_processor_file_beside_a_new_one_without_pictures(tmp_path: Path) -> None:
    """Older folders have a processor_config.json that names only a class."""
    (tmp_path / "processor_config.json").write_text('{"processor_class": "BlipProcessor"}')
    (tmp_path / "preprocessor_config.json").write_text(
        '{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.5], "size": 384}'
    )
    assert read_processor(tmp_path) == Processor(
        (0.1, 0.2, 0.3), (0.5, 0.5, 0.5), size=384, fit="squash"
    )


def test_a_model_that_keeps_the_shape_of_pictures_names_no_square(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 384}}')
    assert read_processor(tmp_path).size is None


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"image_mean": "red", "image_std": 1}',
        '{"image_mean": [1, 2], "image_std": [1, 2]}',
        '{"image_mean": [0, 0, 0], "image_std": [0, 1, 1]}',
        '{"image_mean": [NaN, 0, 0], "image_std": [1, 1, 1]}',
        '{"image_mean": 0, "image_std": 1, "rescale_factor": 0}',
        '{"size": -3}',
        '{"size": {"shortest_edge": true}}',
        '{"size": [3]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(WeftError, match=r"preprocessor_config\.json:") as caught:
        read_processor(tmp_path)
    assert "\n" not in str(caught.value)
