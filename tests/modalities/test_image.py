import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from torch import Tensor

from weft.core.config import from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.media import media_of
from weft.modalities.image import ImageConfig, ViewConfig, corners, mirrored
from weft.modalities.image_transforms import JitterConfig


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def to_chw(image: PillowImage.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def evaluated(config: ImageConfig, array: np.ndarray, view: int = 0) -> Tensor:
    modality = config.build()
    return modality.transform(
        modality.decode(media_of(array, "image")), train=False, generator=seeded(), view=view
    )


def test_is_a_modality_with_a_config_that_survives_json() -> None:
    config = ImageConfig(eval_views=mirrored(), jitter=JitterConfig(hue=0.1))
    assert isinstance(config.build(), Modality)
    assert config.build().views == 2
    assert from_json(to_json(config), ImageConfig, "image") == config


def test_file_bytes_and_array_are_the_same_picture(tmp_path: Path) -> None:
    file = tmp_path / "one.png"
    array = picture(20, 10)
    PillowImage.fromarray(array).save(file)
    modality = ImageConfig().build()
    items = [modality.decode(media_of(raw, "image")) for raw in (file, file.read_bytes(), array)]
    assert all(item.shape == (3, 10, 20) and item.dtype == torch.uint8 for item in items)
    assert all(torch.equal(item, items[0]) for item in items)


def test_decode_says_what_is_wrong() -> None:
    buffer = io.BytesIO()
    PillowImage.fromarray(picture(20, 10)).save(buffer, "JPEG")
    with pytest.raises(WeftError, match="20 x 10 pixels, more than max_pixels = 100"):
        ImageConfig(max_pixels=100).build().decode(media_of(buffer.getvalue(), "image"))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(300, 200), (90, 333), (40, 30), (64, 64)])
def test_evaluation_equals_pillow(interpolation: str, size: tuple[int, int]) -> None:
    array = picture(*size)
    resampling = PillowImage.Resampling[interpolation.upper()]
    square = PillowImage.fromarray(array)
    side, left, top = min(size), (size[0] - min(size)) // 2, (size[1] - min(size)) // 2
    cut = square.crop((left, top, left + side, top + side)).resize((64, 64), resampling)
    squashed = square.resize((64, 64), resampling)
    for fit, expected in (("crop", cut), ("squash", squashed)):
        config = ImageConfig(size=64, fit=fit, interpolation=interpolation)  # type: ignore[arg-type]
        got = evaluated(config, array)
        difference = (got.int() - to_chw(expected).int()).abs()
        # On noise torch's 16-bit bicubic weights leave Pillow's by up to 3 levels, very rarely.
        assert difference.max() <= (1 if interpolation == "bilinear" else 3)
        assert (difference > 1).float().mean() < 0.005


def test_padding_keeps_the_whole_picture() -> None:
    array = picture(100, 50)
    got = evaluated(ImageConfig(size=64, fit="pad", pad_value=9), array)
    expected = to_chw(
        PillowImage.fromarray(array).resize((64, 32), PillowImage.Resampling.BILINEAR)
    )
    assert (got[:, 16:48].int() - expected.int()).abs().max() <= 1
    assert (got[:, :16] == 9).all()
    assert (got[:, 48:] == 9).all()


def test_evaluation_crop_takes_the_central_share() -> None:
    array = picture(256, 256)
    got = evaluated(ImageConfig(size=224, eval_crop=0.875), array)
    assert torch.equal(got, torch.from_numpy(array).permute(2, 0, 1)[:, 16:240, 16:240])


def test_views_are_the_picture_and_its_mirror_image() -> None:
    config = ImageConfig(size=32, eval_views=mirrored())
    plain, flipped = (evaluated(config, picture(50, 40), view) for view in (0, 1))
    assert torch.equal(plain.flip(-1), flipped)
    assert not torch.equal(plain, flipped)


def test_corners_are_parts_of_the_central_square() -> None:
    array = picture(60, 40)
    config = ImageConfig(size=30, eval_views=corners(0.75))
    modality = config.build()
    assert modality.views == 6
    square = torch.from_numpy(array).permute(2, 0, 1)[:, :, 10:50]
    expected = {2: square[:, :30, :30], 4: square[:, 10:, :30]}
    for view, part in expected.items():
        assert torch.equal(evaluated(config, array, view), part)
    flipped = {3: square[:, :30, 10:], 5: square[:, 10:, 10:]}
    for view, part in flipped.items():
        assert torch.equal(evaluated(config, array, view), part.flip(-1))


def test_a_view_of_the_centre() -> None:
    config = ImageConfig(size=20, eval_views=(ViewConfig(crop=0.5),))
    array = picture(40, 40)
    expected = torch.from_numpy(array).permute(2, 0, 1)[:, 10:30, 10:30]
    assert torch.equal(evaluated(config, array), expected)


def test_training_depends_on_the_generator_alone() -> None:
    config = ImageConfig(size=24, jitter=JitterConfig(0.4, 0.4, 0.4, 0.1))
    modality = config.build()
    item = modality.decode(media_of(picture(60, 50), "image"))
    torch.manual_seed(1)
    first = [modality.transform(item, train=True, generator=seeded(s)) for s in range(6)]
    torch.manual_seed(2)
    again = [modality.transform(item, train=True, generator=seeded(s)) for s in range(6)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({a.numpy().tobytes() for a in first}) == 6
    item_after = modality.decode(media_of(picture(60, 50), "image"))
    assert torch.equal(item, item_after)


def test_random_parts_have_the_share_and_ratio_that_were_asked_for() -> None:
    """Each pixel names its place, so that the corners of the result show the part."""
    rows, columns = np.mgrid[0:200, 0:200].astype(np.uint8)
    item = torch.from_numpy(np.stack([rows, columns, rows]))
    config = ImageConfig(size=128, crop_scale=(0.25, 0.5), crop_ratio=(0.5, 2.0), flip=0.0)
    modality = config.build()
    shares, ratios = [], []
    for seed in range(200):
        part = modality.transform(item, train=True, generator=seeded(seed)).int()
        height, width = part[0].max() - part[0].min() + 1, part[1].max() - part[1].min() + 1
        shares.append(float(height * width) / 200**2)
        ratios.append(float(width / height))
    assert 0.23 <= min(shares) < 0.28
    assert 0.47 < max(shares) <= 0.52
    assert 0.48 <= min(ratios) < 0.6
    assert 1.7 < max(ratios) <= 2.1
    assert abs(np.mean(shares) - 0.375) < 0.03


def test_half_of_the_training_views_are_mirrored() -> None:
    modality = ImageConfig(size=16, crop_scale=None).build()
    item = modality.decode(media_of(picture(16, 16), "image"))
    flipped = [
        torch.equal(modality.transform(item, train=True, generator=seeded(s)), item.flip(-1))
        for s in range(200)
    ]
    assert 70 <= sum(flipped) <= 130
    never = ImageConfig(size=16, crop_scale=None, flip=0.0).build()
    assert torch.equal(never.transform(item, train=True, generator=seeded()), item)


def test_collate() -> None:
    modality = ImageConfig(size=16).build()
    items = [
        modality.transform(
            modality.decode(media_of(picture(30, 20, s), "image")), train=True, generator=seeded(s)
        )
        for s in range(3)
    ]
    field = modality.collate(items)
    assert field.values.shape == (3, 3, 16, 16)
    assert field.values.dtype == torch.uint8
    assert field.values.is_contiguous()
    assert field.mask is None
    assert torch.equal(field.values[1], items[1])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.one_of(st.integers(1, 40), st.just(3000)),
    st.booleans(),
    st.sampled_from(["crop", "squash", "pad"]),
    st.booleans(),
    st.integers(1, 33),
)
def test_any_size_gives_the_square(
    short: int, long: int, turned: bool, fit: str, train: bool, size: int
) -> None:
    width, height = (long, short) if turned else (short, long)
    modality = ImageConfig(size=size, fit=fit).build()  # type: ignore[arg-type]
    item = modality.decode(media_of(np.full((height, width, 3), (10, 120, 250), np.uint8), "image"))
    got = modality.transform(item, train=train, generator=seeded(short * long))
    assert got.shape == (3, size, size)
    assert got.is_contiguous()
    if fit != "pad" or train:
        assert (got == torch.tensor([10, 120, 250]).view(3, 1, 1)).all()


def test_scaled_decoding_is_not_visible(shared_data: Callable[[str], Path]) -> None:
    """A wall of photographs at full sharpness, read at a quarter of its size and in full."""
    files = sorted((shared_data("flickr8k") / "images").glob("*.jpg"))[:64]
    wall = PillowImage.new("RGB", (8 * 224, 8 * 224))
    for number, file in enumerate(files):
        wall.paste(PillowImage.open(file), (number % 8 * 224, number // 8 * 224))
    buffer = io.BytesIO()
    wall.save(buffer, "JPEG", quality=90)
    scaled, full = (ImageConfig(scaled_decoding=choice).build() for choice in (True, False))
    item = scaled.decode(media_of(buffer.getvalue(), "image"))
    assert item.shape == (3, 448, 448)
    views = [
        modality.transform(
            modality.decode(media_of(buffer.getvalue(), "image")), train=False, generator=seeded()
        )
        for modality in (scaled, full)
    ]
    error = (views[0].double() - views[1].double()).square().mean()
    assert 10 * torch.log10(255**2 / error) > 40


@pytest.mark.parametrize(
    ("changes", "side"),
    [
        ({}, 448),
        ({"crop_scale": (0.0625, 1.0)}, 896),
        ({"crop_scale": None, "eval_crop": 0.25}, 896),
        ({"scaled_decoding": False}, 0),
    ],
)
def test_decoded_side_leaves_enough_for_the_smallest_part(
    changes: dict[str, object], side: int
) -> None:
    assert ImageConfig().replace(**changes).decoded_side() == side


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 0),
        ("eval_crop", 0.0),
        ("flip", 1.5),
        ("eval_views", ()),
        ("crop_scale", (0.8, 0.2)),
        ("crop_scale", (0.0, 1.0)),
        ("crop_ratio", (2.0, 1.0)),
        ("pad_value", 256),
        ("max_pixels", 0),
    ],
)
def test_impossible_settings_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}.*expected"):
        ImageConfig().replace(**{field: value})


@pytest.mark.parametrize(("height", "width", "share"), [(37, 50, 1.0), (61, 40, 0.875)])
def test_resized_first_it_is_the_picture_of_pillow(height: int, width: int, share: float) -> None:
    """The shorter side first, then the central square, as CLIP's processor does it."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    size = 16
    shorter = round(size / share)
    sides = [int(side * shorter / min(height, width)) for side in (width, height)]
    resized = PillowImage.fromarray(pixels).resize(sides, PillowImage.Resampling.BICUBIC)
    left, top = ((side - size) // 2 for side in sides)
    wanted = np.asarray(resized.crop((left, top, left + size, top + size))).astype(int)
    image = ImageConfig(size, eval_crop=share, resize_first=True, interpolation="bicubic").build()
    found = image.transform(
        torch.from_numpy(pixels).permute(2, 0, 1), train=False, generator=torch.Generator()
    )
    assert np.abs(found.permute(1, 2, 0).numpy().astype(int) - wanted).max() <= 1


def test_a_very_long_picture_does_not_swell() -> None:
    image = ImageConfig(64, resize_first=True).build()
    long = torch.zeros(3, 1, 100_000, dtype=torch.uint8)
    assert image.transform(long, train=False, generator=torch.Generator()).shape == (3, 64, 64)
    with pytest.raises(ValueError, match="resize_first is True and fit 'squash'"):
        ImageConfig(fit="squash", resize_first=True)
