"""Fingerprints: the same picture is found again, another one is not."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from weft.data.prepare import fingerprints, near_duplicates
from weft.data.prepare.fingerprints import TURNS, Turn, fingerprint
from weft.data.prepare.near_duplicates import NOT_FOUND, NearConfig, components, near_pairs

DEFAULT = NearConfig()


def picture(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """Blotches of every size in colour: a picture with the spectrum of a photograph."""
    rng = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3))
    for side in (2, 4, 8, 16, 32):
        noise = rng.normal(0, 90 / side**0.7, (side, side, 3)).clip(-127, 127)
        coarse = Image.fromarray((noise + 128).astype(np.uint8))
        layers += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) - 128.0
    return Image.fromarray((layers + 128).clip(0, 255).astype(np.uint8))


def look(image: Image.Image) -> bytes:
    made = fingerprint(np.asarray(image))
    assert made is not None
    return made


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    return Image.open(encoded)


def trimmed(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    left, top = round(width * share), round(height * share)
    return image.crop((left, top, width - left, height - top))


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(64, 400), st.integers(64, 400))
@settings(max_examples=40, deadline=None)
def test_any_size_is_found_again(seed: int, width: int, height: int) -> None:
    original = picture(seed)
    resized = original.resize((width, height), Image.Resampling.BICUBIC)
    assert len(near_pairs([look(original), look(resized)], DEFAULT)) == 1


@given(seeds, st.integers(10, 95))
@settings(max_examples=40, deadline=None)
def test_any_jpeg_quality_is_found_again(seed: int, quality: int) -> None:
    original = picture(seed)
    assert len(near_pairs([look(original), look(jpeg(original, quality))], DEFAULT)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda image: ImageEnhance.Brightness(image).enhance(0.8),
        lambda image: ImageEnhance.Contrast(image).enhance(0.8),
        lambda image: trimmed(image, 0.02),
    ],
    ids=["darker", "flatter", "trimmed"],
)
def test_small_changes_are_found(change: Callable[[Image.Image], Image.Image]) -> None:
    found = [
        len(near_pairs([look(picture(s)), look(change(picture(s)))], DEFAULT)) for s in range(20)
    ]
    assert sum(found) >= 19


def test_mirror_images_are_found_and_named_so() -> None:
    prints = [look(picture(1)), look(ImageOps.mirror(picture(1)))]
    (turn,) = near_pairs(prints, DEFAULT).turn
    assert TURNS[turn].name == "mirrored"
    assert len(near_pairs(prints, NearConfig(turned=False))) == 1
    assert len(near_pairs(prints, NearConfig(mirrored=False))) == 0


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.name or "as it is")
def test_turns_are_found_and_named_so(turn: Turn) -> None:
    for seed in range(5):
        pixels = np.asarray(picture(seed))
        turned = pixels.swapaxes(0, 1) if turn.transposed else pixels
        turned = turned[::-1] if turn.upside_down else turned
        turned = turned[:, ::-1] if turn.mirrored else turned
        other = look(jpeg(Image.fromarray(np.ascontiguousarray(turned)), 40))
        found = near_pairs([look(picture(seed)), other], DEFAULT)
        assert [TURNS[n].name for n in found.turn] == [turn.name]
        plain = near_pairs([look(picture(seed)), other], NearConfig(mirrored=False, turned=False))
        assert len(plain) == (turn.name == "")


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
@pytest.mark.parametrize("border", [10, (0, 12), (10, 10, 0, 0)])
def test_frames_of_one_colour_are_found(border: Any, colour: tuple[int, int, int]) -> None:
    for seed in range(10):
        original = picture(seed, 320, 240)
        framed = ImageOps.expand(original, border, colour)
        for changed in (framed, jpeg(framed, 70), ImageOps.mirror(framed)):
            assert len(near_pairs([look(original), look(changed)], DEFAULT)) == 1
    assert fingerprints.without_frame(np.asarray(framed)).shape == (240, 320, 3)


def test_a_frame_is_no_likeness() -> None:
    """Different pictures in the same frame are different."""
    framed = [look(ImageOps.expand(picture(seed), 12, (0, 0, 0))) for seed in range(60)]
    assert len(near_pairs(framed, DEFAULT)) == 0


def test_what_is_said_not_to_be_found_is_not() -> None:
    assert "cropped by more than about 5 % a side" in NOT_FOUND
    found = {
        share: sum(
            len(near_pairs([look(picture(s)), look(trimmed(picture(s), share))], DEFAULT))
            for s in range(40)
        )
        for share in (0.025, 0.1)
    }
    assert found[0.025] >= 38
    assert found[0.1] <= 4


def test_only_pairs_across_are_asked_for() -> None:
    prints = [look(picture(seed)) for seed in (0, 0, 1, 0, 2, 1)]
    every = near_pairs(prints, DEFAULT)
    pairs = set(zip(every.first.tolist(), every.second.tolist(), strict=True))
    assert pairs == {(0, 1), (0, 3), (1, 3), (2, 5)}
    for split in range(7):
        found = near_pairs(prints, DEFAULT, against=split)
        across = {(a, b) for a, b in pairs if a < split <= b}
        assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == across


def test_different_pictures_are_not_paired() -> None:
    prints = [look(picture(seed)) for seed in range(150)]
    assert len(near_pairs(prints, DEFAULT)) == 0


def test_another_colour_is_another_picture() -> None:
    red = np.full((64, 64, 3), 255, np.uint8)
    blue = red.copy()
    red[16:48, 16:48] = (220, 40, 40)
    blue[16:48, 16:48] = (40, 85, 255)
    prints = [fingerprint(red), fingerprint(blue)]
    assert len(near_pairs(prints, DEFAULT)) == 0
    assert len(near_pairs(prints, NearConfig(colour=255))) == 1


def test_flat_pictures_have_no_fingerprint() -> None:
    flat = np.full((50, 50, 3), 200, np.uint8)
    assert fingerprint(flat) is None
    assert len(near_pairs([None, None, look(picture(0))], DEFAULT)) == 0


def test_frequencies_agree_with_scipy() -> None:
    grey = np.random.default_rng(0).normal(size=(fingerprints.SIDE, fingerprints.SIDE))
    ours = fingerprints._DCT @ grey @ fingerprints._DCT.T
    np.testing.assert_allclose(ours, scipy.fft.dctn(grey, norm="ortho"), atol=1e-12)


@given(seeds, st.integers(1, 60), st.integers(0, 64), st.booleans())
@settings(max_examples=40, deadline=None)
def test_search_finds_exactly_what_comparing_every_pair_finds(
    seed: int, count: int, distance: int, mirrored: bool
) -> None:
    rng = np.random.default_rng(seed)
    table = np.zeros(count, fingerprints.FINGERPRINT)
    shapes = (
        rng.normal(size=(3, 64))[rng.integers(0, 3, count)] + rng.normal(size=(count, 64)) * 0.4
    )
    table["shape"] = shapes / np.linalg.norm(shapes, axis=1, keepdims=True)
    prints: list[bytes | None] = [row.tobytes() for row in table]
    prints[0] = None
    config = NearConfig(distance=distance, similarity=-1.0, mirrored=mirrored, turned=False)
    expected = set()
    for i in range(1, count):
        for j in range(i + 1, count):
            signs = np.signbit(table["shape"][[i, j]])
            turned = signs[1] ^ (fingerprints._HORIZONTAL % 2 == 1)
            if (signs[0] != signs[1]).sum() <= distance or (
                mirrored and (signs[0] != turned).sum() <= distance
            ):
                expected.add((i, j))
    found = near_pairs(prints, config)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == sorted(expected)


def test_search_in_tiles_is_the_same_search(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = [look(picture(seed % 7).resize((90 + seed, 80))) for seed in range(40)]
    whole = near_pairs(prints, DEFAULT)
    monkeypatch.setattr(near_duplicates, "TILE", 7)
    tiles = near_pairs(prints, DEFAULT)
    assert len(whole) > 0
    assert whole.first.tolist() == tiles.first.tolist()
    assert whole.second.tolist() == tiles.second.tolist()


@given(st.integers(1, 40), st.data())
def test_components_are_the_connected_ones(count: int, data: st.DataObject) -> None:
    node = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), max_size=60))
    reached = {n: {n} for n in range(count)}
    for a, b in pairs:
        union = reached[a] | reached[b]
        for n in union:
            reached[n] = union
    ends = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    labels = components(count, ends[:, 0], ends[:, 1])
    assert labels.tolist() == [min(reached[n]) for n in range(count)]


def test_burst_pictures_of_flickr8k_are_found(shared_data: Callable[[str], Path]) -> None:
    """The pairs were found and looked at in the whole set; their neighbours are unrelated."""
    names = [
        "191003285_edd8d0cf58.jpg",
        "191003287_2915c11d8e.jpg",
        "186890601_8a6b0f1769.jpg",
        "186890605_ddff5b694e.jpg",
        "475313618_bdb2f72be5.jpg",
        "475317104_1cdc1653b4.jpg",
        "1000268201_693b08cb0e.jpg",
        "1001773457_577c3a7d70.jpg",
    ]
    folder = shared_data("flickr8k") / "images"
    pairs = near_pairs([look(Image.open(folder / name).convert("RGB")) for name in names], DEFAULT)
    found = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert found == [(0, 1), (2, 3), (4, 5)]
