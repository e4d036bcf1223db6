"""Pictures as the processors of transformers and the transform of open_clip make them, of unusual files."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from weft.core.media import Media
from weft.modalities.image import ImageConfig
from weft.modalities.processor import Processor

SIZE = 64
GREY_LEVELS = 2.0
"""Of 255: Pillow and torch round after each of two passes, with weights of different precision."""
OTHER_ORDER = {"P": 0.05, "1": 1.0}
PHOTO = 0.005
"""Share of values that may differ by more: of dithered pictures, and of all others. Both libraries cut at 0 and 255
between the passes. torch resizes the width first, Pillow 13 the height where that is cheaper, so that bicubic
overshoot at hard edges is cut elsewhere; a picture of two colours is all hard edges, and only the comparison pass by
pass tells anything of it."""
BASE = ImageConfig(crop_scale=None, flip=0.0, interpolation="bicubic", scaled_decoding=False)
CROPPED = Processor(size=SIZE, fit="crop", interpolation="bicubic").image(BASE)
SQUASHED = Processor(size=SIZE, fit="squash", interpolation="bicubic").image(BASE)
KINDS = ("RGB", "L", "P", "RGBA", "LA", "1", "CMYK", "I;16")
SIZES = ((97, 131), (200, 63), (40, 33), (64, 64), (65, 300))


def picture(kind: str, size: tuple[int, int], photo: Image.Image) -> Image.Image:
    """A photo of that size and mode; opaque where it has an alpha channel."""
    made = photo.resize(size, Image.Resampling.BICUBIC)
    if kind in ("RGBA", "LA"):
        made = made.convert(kind)
        made.putalpha(255)
        return made
    if kind == "I;16":
        values = np.asarray(made.convert("L")).astype(np.uint16) * 257
        return Image.fromarray(values)
    return made.convert(kind)


@pytest.fixture(scope="module")
def photo(shared_data: Callable[[str], Path]) -> Image.Image:
    folder = shared_data("flickr8k")
    first = next(path for path in sorted(folder.rglob("*.jpg")))
    return Image.open(first).convert("RGB")


def of_clip(made: Image.Image) -> np.ndarray:
    """CLIPImageProcessor of transformers with Pillow."""
    hf = pytest.importorskip("transformers")
    size = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    return processed(hf, "CLIPImageProcessor", made, **size)


def of_fast_clip(made: Image.Image) -> np.ndarray:
    """CLIPImageProcessorFast, which resizes by torchvision."""
    hf = pytest.importorskip("transformers")
    pytest.importorskip("torchvision")
    size = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    return processed(hf, "CLIPImageProcessorFast", made, **size)


def of_open_clip(made: Image.Image) -> np.ndarray:
    """image_transform of open_clip."""
    open_clip = pytest.importorskip("open_clip")
    transform = open_clip.image_transform(SIZE, is_train=False, mean=(0.0,) * 3, std=(1.0,) * 3)
    return 255 * transform(made).numpy()


def of_siglip(made: Image.Image) -> np.ndarray:
    """SiglipImageProcessor, which squashes."""
    hf = pytest.importorskip("transformers")
    size = {"height": SIZE, "width": SIZE}
    return processed(hf, "SiglipImageProcessor", made, size=size, resample=3, do_convert_rgb=True)


def processed(hf: object, name: str, made: Image.Image, **settings: object) -> np.ndarray:
    processor = getattr(hf, name)(do_rescale=False, do_normalize=False, **settings)
    found = processor(images=made, return_tensors="pt")["pixel_values"][0]
    values: np.ndarray = torch.as_tensor(found).float().numpy()
    return values


LIBRARIES: dict[Callable[[Image.Image], np.ndarray], ImageConfig] = {
    of_clip: CROPPED,
    of_fast_clip: CROPPED,
    of_open_clip: CROPPED,
    of_siglip: SQUASHED,
}


def by_passes(made: Image.Image, config: ImageConfig) -> np.ndarray:
    """Pillow's resizing of the width, then of the height, and the central square."""
    made = made.convert("RGB")
    width, height = made.size
    shorter = min(width, height)
    sides = (SIZE, SIZE)
    if config.fit == "crop":
        sides = (int(width * SIZE / shorter), int(height * SIZE / shorter))
    made = made.resize((sides[0], height), Image.Resampling.BICUBIC)
    made = made.resize(sides, Image.Resampling.BICUBIC)
    left, top = ((side - SIZE) // 2 for side in sides)
    square = made.crop((left, top, left + SIZE, top + SIZE))
    return np.asarray(square).transpose(2, 0, 1).astype(np.float32)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_pixels_are_those_of_the_library(
    library: Callable[[Image.Image], np.ndarray], photo: Image.Image
) -> None:
    config = LIBRARIES[library]
    image = config.build()
    for kind in KINDS:
        for size in SIZES:
            made = picture(kind, size, photo)
            out = io.BytesIO()
            made.save(out, "TIFF" if kind in ("CMYK", "I;16") else "PNG")
            raw = Media.encoded(out.getvalue(), "image")
            ours = image.transform(image.decode(raw), train=False, generator=torch.Generator())
            values = ours.float().numpy()
            # The libraries cut 16 bits at 255; weft scales them, so that the picture is that of 8 bits.
            same = made if kind != "I;16" else picture("L", size, photo)
            assert np.abs(values - by_passes(same, config)).max() <= GREY_LEVELS, (kind, size)
            far = np.abs(values - library(same)) > GREY_LEVELS
            assert far.mean() <= OTHER_ORDER.get(kind, PHOTO), (kind, size)
