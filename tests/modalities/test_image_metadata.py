"""Which side is up, and taking out what a picture's file tells of a person."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from weft.modalities.image_decoding import read_image
from weft.modalities.image_metadata import jpeg_orientation, private_metadata, without_metadata

LIMIT = 1_000_000
SECRET = b"PLACE-AND-DATE"


def photo(width: int = 96, height: int = 64) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def told(orientation: int = 1) -> Image.Exif:
    """EXIF with a place, a time and an owner."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x013B] = SECRET.decode()
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[29] = "N", (51.0, 30.0, 26.0), SECRET.decode()
    return exif


def encoded(format: str, orientation: int = 1, **options: object) -> bytes:
    out = io.BytesIO()
    photo().save(out, format, exif=told(orientation).tobytes(), **options)
    return out.getvalue()


def png(orientation: int = 1) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET.decode())
    text.add_text("Comment", SECRET.decode(), zip=True)
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    return encoded("PNG", orientation, pnginfo=text)


def jpeg(orientation: int = 1, **options: object) -> bytes:
    """With a comment, and a second picture behind the first as some cameras add one."""
    data = encoded("JPEG", orientation, comment=SECRET, quality=95, **options)
    return data + encoded("JPEG") + SECRET


FILES: dict[str, Callable[[int], bytes]] = {
    "JPEG": jpeg,
    "progressive JPEG": lambda n: jpeg(n, progressive=True),
    "PNG": png,
    "WebP": lambda n: encoded("WEBP", n, xmp=SECRET),
    "lossless WebP": lambda n: encoded("WEBP", n, lossless=True),
}


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", FILES)
def test_metadata_goes_and_pixels_and_orientation_stay(name: str, orientation: int) -> None:
    data = FILES[name](orientation)
    assert "place (GPS)" in private_metadata(data)
    clean = without_metadata(data)
    assert clean is not None
    assert SECRET not in clean
    assert private_metadata(clean) == ()
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    found = ImageOps.exif_transpose(Image.open(io.BytesIO(clean)))
    assert np.array_equal(np.asarray(found), np.asarray(expected))
    assert np.array_equal(read_image(clean, max_pixels=LIMIT), read_image(data, max_pixels=LIMIT))
    assert without_metadata(clean) == clean


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_colour_profile_stays(format: str) -> None:
    profile = bytes(range(256)) * 300
    clean = without_metadata(encoded(format, icc_profile=profile))
    assert clean is not None
    assert Image.open(io.BytesIO(clean)).info["icc_profile"] == profile


def test_inks_keep_the_mark_that_says_how_they_are_written() -> None:
    out = io.BytesIO()
    photo().convert("CMYK").save(out, "JPEG", exif=told().tobytes())
    clean = without_metadata(out.getvalue())
    assert clean is not None
    assert b"Adobe" in clean
    assert SECRET not in clean


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_is_not_whole_is_not_changed(name: str, share: float) -> None:
    data = FILES[name](6).removesuffix(SECRET)
    if "JPEG" in name:
        data = data[: data.index(b"\xff\xd9") + 2]
    assert without_metadata(data[: int(len(data) * share)]) is None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_damaged_files_raise_nothing(name: str, seed: int, flips: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(FILES[name](6), dtype=np.uint8).copy()
    places = rng.integers(0, min(len(data), 2000), flips)
    data[places] = rng.integers(0, 256, flips)
    without_metadata(data.tobytes())
    private_metadata(data.tobytes())


def test_formats_that_are_written_anew() -> None:
    data = encoded("TIFF")
    assert private_metadata(data) == ("EXIF", "place (GPS)")
    assert without_metadata(data) is None
    assert private_metadata(b"no picture") == ()


def tiff(order: str, kind: int, value: bytes, count: int = 1) -> bytes:
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, 1)
    return head + struct.pack(order + "HHI", 0x0112, kind, count) + value.ljust(4, b"\0") + bytes(4)


def segment(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "code"), [(3, "H"), (4, "I"), (8, "h"), (9, "i")])
def test_the_orientation_is_any_whole_number(order: str, kind: int, code: str) -> None:
    exif = segment(b"Exif\0\0" + tiff(order, kind, struct.pack(order + code, 6)))
    assert jpeg_orientation(b"\xff\xd8" + exif) == 6
    out = io.BytesIO()
    photo().save(out, "JPEG", quality=95)
    data = out.getvalue()[:2] + exif + out.getvalue()[2:]
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))
    found = read_image(data, max_pixels=LIMIT)
    assert np.abs(found.astype(int) - np.asarray(expected)).mean() < 3


@pytest.mark.parametrize(
    ("kind", "value", "count"),
    [
        (2, b"6\0", 2),
        (5, b"\x08", 1),
        (4, b"\xff\xff\xff\xff", 1),
        (3, b"\6\0", 2),
        (9, b"\xff" * 4, 1),
    ],
)
def test_what_is_no_orientation_turns_nothing(kind: int, value: bytes, count: int) -> None:
    assert jpeg_orientation(b"\xff\xd8" + segment(b"Exif\0\0" + tiff("<", kind, value, count))) == 1


@pytest.mark.parametrize("said", ['tiff:Orientation="6"', "<tiff:Orientation>6</tiff:Orientation>"])
def test_xmp_says_the_orientation_where_exif_does_not(said: str) -> None:
    xmp = segment(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + said.encode())
    exif = segment(b"Exif\0\0" + tiff("<", 3, b"\x03\0"))
    assert jpeg_orientation(b"\xff\xd8" + xmp) == 6
    assert jpeg_orientation(b"\xff\xd8" + xmp + exif) == 3
    out = io.BytesIO()
    photo().save(out, "JPEG", quality=95)
    data = out.getvalue()[:2] + xmp + out.getvalue()[2:]
    assert read_image(data, max_pixels=LIMIT).shape == (96, 64, 3)
    assert ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size == (64, 96)
