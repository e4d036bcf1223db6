"""Decoding against Pillow, an independent reader of the same files."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from weft.core.errors import MissingExtraError
from weft.modalities import image_decoding
from weft.modalities.image_decoding import read_image, upright
from weft.modalities.image_metadata import jpeg_orientation

LIMIT = 1_000_000


def photo(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Smooth colours with an upright direction."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def psnr(left: np.ndarray, right: np.ndarray) -> float:
    error = np.mean((left.astype(np.float64) - right.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_equals_pillow(mode: str, options: dict[str, object]) -> None:
    data = encoded(photo().convert(mode), "JPEG", quality=90, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert psnr(read_image(data, max_pixels=LIMIT), expected) >= 45


def test_real_photographs_equal_pillow(shared_data: Callable[[str], Path]) -> None:
    files = sorted((shared_data("flickr8k") / "images").glob("*.jpg"))[:20]
    for file in files:
        pixels = read_image(file.read_bytes(), max_pixels=LIMIT)
        assert psnr(pixels, np.asarray(Image.open(file).convert("RGB"))) >= 40


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("PPM", {}),
    ],
)
def test_lossless_formats_are_exact(format: str, options: dict[str, object]) -> None:
    image = photo()
    assert np.array_equal(
        read_image(encoded(image, format, **options), max_pixels=LIMIT), np.asarray(image)
    )


def test_first_frame_of_an_animation() -> None:
    red, blue = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    for format in ("GIF", "WEBP", "TIFF"):
        options = {"lossless": True} if format == "WEBP" else {}
        data = encoded(red, format, save_all=True, append_images=[blue], **options)
        assert (read_image(data, max_pixels=LIMIT) == (255, 0, 0)).all()


def test_heic() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    image = photo()
    heif = pillow_heif.from_pillow(image)
    buffer = io.BytesIO()
    heif.save(buffer, quality=95)
    assert psnr(read_image(buffer.getvalue(), max_pixels=LIMIT), np.asarray(image)) >= 30


def test_heic_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_decoding, "_pillow_formats", lambda: ("PNG",))
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
    with pytest.raises(MissingExtraError, match="weft\\[heif\\]"):
        read_image(data, max_pixels=LIMIT)


@pytest.mark.parametrize("colour", [(255, 0, 0), (10, 200, 90), (255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(format: str, colour: tuple[int, int, int]) -> None:
    """Pillow writes CMYK JPEG the way Adobe does, with inverted inks and Adobe's marker."""
    data = encoded(Image.new("RGB", (16, 16), colour).convert("CMYK"), format)
    if format == "JPEG":
        assert b"Adobe" in data
    assert np.abs(read_image(data, max_pixels=LIMIT).astype(int) - colour).max() <= 3


def test_16_bit_grey_keeps_its_range() -> None:
    values = np.array([[0, 255, 257, 32768, 65535]], dtype=np.uint16)
    for format in ("PNG", "TIFF"):
        pixels = read_image(encoded(Image.fromarray(values), format), max_pixels=LIMIT)
        assert pixels[0, :, 0].tolist() == [0, 1, 1, 128, 255]
        assert (pixels[..., 0] == pixels[..., 2]).all()
    pgm = b"P5 5 1 65535\n" + values.astype(">u2").tobytes()
    assert read_image(pgm, max_pixels=LIMIT)[0, :, 1].tolist() == [0, 1, 1, 128, 255]


def deep_png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, (H, W, channels), which Pillow does not write in colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_scan_of_12_bits_is_not_black_in_silence(
    channels: int, caplog: pytest.LogCaptureFixture
) -> None:
    image_decoding._warn_of_empty_bits.cache_clear()
    values = np.full((1, 4096, channels), 65535, np.uint16)
    values[0, :, : 3 if channels > 2 else 1] = np.arange(4096)[:, None]
    assert read_image(deep_png(values), max_pixels=LIMIT).max() in (15, 16)
    assert "become nearly black" in caplog.text
    if channels == 1:
        assert "grey_bits=12" in caplog.text
        pixels = read_image(deep_png(values), max_pixels=LIMIT, grey_bits=12)
        assert len(np.unique(pixels)) == 256
        assert pixels[0, [0, 2048, 4095], 0].tolist() == [0, 128, 255]
    caplog.clear()
    assert read_image(deep_png(values * 16), max_pixels=LIMIT)[..., 0].max() >= 254
    assert caplog.text == ""


def test_large_pictures_are_converted_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every colour mode comes out as from one piece."""
    image = photo(97, 61)
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    files = [encoded(Image.fromarray(grey), kind) for kind in ("PNG", "TIFF")]
    files.append(encoded(Image.fromarray(grey.astype(np.float32)), "TIFF"))
    files += [encoded(image.convert(mode), "PNG") for mode in ("RGB", "RGBA", "P", "LA", "1", "L")]
    files += [encoded(image.quantize(9), "PNG", transparency=3), encoded(image, "GIF")]
    files += [encoded(image.convert("CMYK"), kind) for kind in ("JPEG", "TIFF")]
    whole = [read_image(data, max_pixels=LIMIT) for data in files]
    monkeypatch.setattr(image_decoding, "_BAND", 500)
    for data, expected in zip(files, whole, strict=True):
        assert np.array_equal(read_image(data, max_pixels=LIMIT), expected)


def test_float_grey() -> None:
    unit = np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32)
    bytes_like = np.array([[0.0, 128.0, 300.0, -5.0]], dtype=np.float32)
    for values, expected in ((unit, [0, 128, 255, 0]), (bytes_like, [0, 128, 255, 0])):
        data = encoded(Image.fromarray(values), "TIFF")
        assert read_image(data, max_pixels=LIMIT)[0, :, 0].tolist() == expected


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (9, 3), 0)
    image.putpixel((4, 1), 1)
    for format in ("PNG", "TIFF", "BMP"):
        pixels = read_image(encoded(image, format), max_pixels=LIMIT)
        assert pixels[1, 4].tolist() == [255, 255, 255]
        assert pixels.sum() == 3 * 255


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    pixels = read_image(encoded(image.convert(mode), "PNG"), max_pixels=LIMIT)
    assert pixels[0, :3, 0].tolist() == [255, 127, 0]


def test_transparent_palette_and_transparent_colour() -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([9, 9, 9, 200, 30, 40])
    palette.putpixel((0, 0), 0)
    data = [
        encoded(palette, "PNG", transparency=bytes([0])),
        encoded(palette, "GIF", transparency=0),
    ]
    coloured = Image.new("RGB", (4, 4), (200, 30, 40))
    coloured.putpixel((0, 0), (9, 9, 9))
    data.append(encoded(coloured, "PNG", transparency=(9, 9, 9)))
    for one in data:
        pixels = read_image(one, max_pixels=LIMIT)
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert pixels[2, 2].tolist() == [200, 30, 40]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker before the tag that counts"
    exif[0x0112] = orientation
    data = encoded(photo(), format, exif=exif, **({"quality": 95} if format == "JPEG" else {}))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))
    assert psnr(read_image(data, max_pixels=LIMIT), np.asarray(expected)) >= 40


@given(st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))
def test_upright_equals_pillow(orientation: int, width: int, height: int) -> None:
    image = Image.fromarray(np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(upright(np.asarray(image), orientation), expected)


@given(st.binary(max_size=64), st.sampled_from([b"II*\0", b"MM\0*", b""]))
def test_damaged_exif_says_nothing(noise: bytes, order: bytes) -> None:
    assert 1 <= jpeg_orientation(b"\xff\xd8\xff\xe1\0\x10Exif\0\0" + order + noise) <= 8


def test_exif_is_a_segment_before_the_first_scan() -> None:
    tiff = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 1, 6)
    exif = b"\xff\xe1" + (8 + len(tiff)).to_bytes(2, "big") + b"Exif\0\0" + tiff
    comment = b"\xff\xfe\0\x09" + b"Exif\0\0\0"
    assert jpeg_orientation(b"\xff\xd8" + comment + b"\xff" + exif) == 6
    assert jpeg_orientation(b"\xff\xd8" + comment) == 1
    assert jpeg_orientation(b"\xff\xd8\xff\xda\0\x02" + exif) == 1
    assert jpeg_orientation(b"\xff\xd8\xff\xe0\0\0" + exif) == 1  # a length that cannot be


def test_big_endian_exif() -> None:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry
    assert jpeg_orientation(b"\xff\xd8\xff\xe1\0\x22Exif\0\0" + tiff) == 6


def test_scaled_decoding_keeps_the_shortest_side() -> None:
    data = encoded(photo(801, 603), "JPEG", quality=95)
    sides = {
        side: read_image(data, max_pixels=LIMIT, min_side=side).shape[:2]
        for side in (0, 700, 400, 301, 300, 100, 1)
    }
    assert sides[0] == sides[700] == sides[400] == (603, 801)
    assert sides[301] == sides[300] == (302, 401)
    assert sides[100] == (151, 201)
    assert sides[1] == (76, 101)


def test_array_is_taken_as_it_is() -> None:
    array = np.asarray(photo())
    assert np.array_equal(read_image(array, max_pixels=LIMIT), array)
    assert np.array_equal(read_image(array[::-1, ::2], max_pixels=LIMIT), array[::-1, ::2])
