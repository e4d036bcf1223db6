"""Encoded pictures -> uint8 RGB arrays, upright, whatever the format.

Plain JPEG goes through simplejpeg (libjpeg-turbo); every other format through Pillow.
"""

import io
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from weft.core.errors import MissingExtraError, WeftError

Pixels = NDArray[np.uint8]

# Named, so that Pillow neither starts other programs (EPS) nor takes noise for a picture (TGA).
# fmt: off
_FORMATS = (
    "JPEG", "MPO", "PNG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "PPM", "ICO", "JPEG2000", "AVIF",
    "HEIF", "QOI", "PSD", "PCX", "DDS", "SGI",
)
# fmt: on
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ORIENTATION_TAG = 0x0112
_APP1, _SCAN = b"\xe1", b"\xda"
_FILTERS = threading.Lock()


def read_image(raw: Path | bytes | Pixels, *, max_pixels: int, min_side: int = 0) -> Pixels:
    """(H, W, 3) uint8 RGB. Transparency lies on white; of an animation the first frame is taken.

    min_side: where > 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as no side gets
    shorter than this (pixels). Raises WeftError without the source, which the caller adds.
    """
    if isinstance(raw, np.ndarray):
        return _checked_array(raw)
    data = _read_bytes(raw)
    try:
        if data[:3] == b"\xff\xd8\xff":
            pixels = _read_jpeg(data, max_pixels, min_side)
            if pixels is not None:
                return pixels
        return _read_with_pillow(data, max_pixels)
    except WeftError:
        raise
    except UnidentifiedImageError:
        raise WeftError("is not a picture in a known format") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise WeftError(f"picture has more pixels than Pillow allows ({limit})") from None
    except Exception as error:  # a damaged file makes Pillow's readers raise nearly anything
        raise _unreadable(error) from None


def jpeg_orientation(data: bytes) -> int:
    """The EXIF orientation (1 to 8) of a JPEG file; 1 where it says none.

    EXIF 2.32, section 4.6: a TIFF header, then the tags of image file directory 0.
    """
    tiff = _exif(data)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], "")
    if not order:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(order + "H6xH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:  # a damaged directory says nothing about the picture
        return 1
    return 1


def _exif(data: bytes) -> bytes:
    """The TIFF data of a JPEG's EXIF segment, b"" where there is none before its first scan.

    ISO 10918-1, annex B.1.1: a segment is 0xff, its kind, and its length with the two bytes that say it.
    """
    place = 2
    while data[place : place + 1] == b"\xff":
        kind, length = data[place + 1 : place + 2], int.from_bytes(data[place + 2 : place + 4])
        if kind == b"\xff":  # a byte that only fills
            place += 1
        elif kind in (b"", _SCAN) or length < 2:
            break
        elif kind == _APP1 and data[place + 4 : place + 10] == b"Exif\0\0":
            return data[place + 10 : place + 2 + length]
        else:
            place += 2 + length
    return b""


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undoes the rotation or mirroring that the EXIF orientation names (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _checked_array(array: NDArray[np.generic]) -> Pixels:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise WeftError(
            f"is an array of {array.dtype} {array.shape}, expected uint8 of shape (H, W, 3)"
        )
    # torch.from_numpy needs memory that is writable and has no negative strides
    pixels = np.ascontiguousarray(array, dtype=np.uint8)
    return pixels if pixels.flags.writeable else pixels.copy()


def _read_bytes(raw: Path | bytes) -> bytes:
    if isinstance(raw, Path):
        try:
            data = raw.read_bytes()
        except FileNotFoundError:
            raise WeftError(f"no such picture: {raw}") from None
        except (OSError, ValueError) as error:
            raise WeftError(f"picture {raw} cannot be read: {error}") from None
    elif isinstance(raw, bytes):
        data = raw
    else:
        raise WeftError(
            f"a picture is a {type(raw).__name__}, expected a Path, bytes or a uint8 array"
        )
    if not data:
        raise WeftError("picture is empty (0 bytes)")
    return data


def _read_jpeg(data: bytes, max_pixels: int, min_side: int) -> Pixels | None:
    """None where Pillow must decide: CMYK, and files that libjpeg has something to say about."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    _check_size(width, height, max_pixels)
    if space not in ("YCbCr", "RGB", "Gray"):
        return None
    factor = _scale_factor(min(height, width), min_side)
    try:
        pixels = simplejpeg.decode_jpeg(
            data, colorspace="RGB", min_height=-(-height // factor), min_width=-(-width // factor)
        )
    except ValueError as error:
        if "premature end" in str(error).lower():
            raise WeftError("picture is truncated") from None
        return None
    return upright(pixels, jpeg_orientation(data))


def _scale_factor(side: int, min_side: int) -> int:
    """The largest of 1, 2, 4, 8 by which `side` may be divided.

    libjpeg's other fractions (3/8, 5/8, ...) are slower and lose 10 dB.
    """
    return max((f for f in (1, 2, 4, 8) if side // f >= min_side > 0), default=1)


def _read_with_pillow(data: bytes, max_pixels: int) -> Pixels:
    formats = _pillow_formats()
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and "HEIF" not in formats:
        raise MissingExtraError("pillow-heif", extra="heif", purpose="reading HEIC pictures")
    with _quiet():
        image = Image.open(io.BytesIO(data), formats=formats)
    with image:
        _check_size(*image.size, max_pixels)
        image.load()
        with _quiet():
            orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        return upright(_to_rgb(image), orientation)


@contextmanager
def _quiet() -> Iterator[None]:
    """What Pillow warns of (size, damaged EXIF) is checked here or does not matter.

    The filters of warnings belong to all threads, hence the lock, and only headers are read in it.
    """
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif|weft\.modalities)\b")
        yield


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith(("I", "F")):
        grey = _to_8_bit(np.asarray(image), image.mode)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
    return np.array(image.convert("RGB"))


def _to_8_bit(grey: NDArray[np.generic], mode: str) -> Pixels:
    """Grey of 16 or 32 bits or floating point -> 8 bits: the full range onto 0..255.

    Pillow's mode "I" also holds 16-bit PNG and PGM, and a float picture may count to 1 or to 255:
    the largest value tells them apart.
    """
    values = np.nan_to_num(grey.astype(np.float64))
    peak = values.max()
    if mode.startswith("F"):
        full = 1.0 if peak <= 1 else 255.0
    else:
        full = 65535.0 if mode != "I" or peak <= 65535 else 2.0**31 - 1
    return np.rint(values.clip(0, full) * (255 / full)).astype(np.uint8)


@cache
def _pillow_formats() -> tuple[str, ...]:
    Image.init()
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:  # the extra "heif"
        pass
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise WeftError(
            f"picture has {width} x {height} pixels, more than max_pixels = {max_pixels}"
        )


def _unreadable(error: Exception) -> WeftError:
    text = " ".join(str(error).split())
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return WeftError("picture is truncated")
    return WeftError(f"picture cannot be decoded: {text or type(error).__name__}")
