"""Decodes pictures of any format to upright uint8 RGB arrays.

Plain JPEG is decoded by simplejpeg (libjpeg-turbo), every other format by Pillow.
"""

import importlib.util
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from weft.core.errors import MissingExtraError, WeftError
from weft.modalities.image_dicom import Window, ends, is_dicom, read_dicom, scaled
from weft.modalities.image_metadata import jpeg_orientation

Pixels = NDArray[np.uint8]

# An explicit list, so that Pillow neither starts other programs (EPS) nor reads random bytes as a
# picture (TGA).
# fmt: off
_FORMATS = (
    "JPEG", "MPO", "PNG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "PPM", "ICO", "JPEG2000", "AVIF",
    "HEIF", "QOI", "PSD", "PCX", "DDS", "SGI",
)
# fmt: on
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ORIENTATION_TAG = 0x0112
_JPEG_END = b"\xff\xd9"
_FILTERS = threading.Lock()
_BAND = 1 << 22
"""Number of pixels converted at a time, so that a picture is in memory only twice, not five times."""
log = logging.getLogger("weft.data")


def read_image(
    raw: bytes | Pixels,
    *,
    max_pixels: int,
    min_side: int = 0,
    grey_bits: int | None = None,
    window: Window | None = None,
) -> Pixels:
    """(H, W, 3) uint8 RGB. Transparency becomes white; of an animation the first frame is read.

    min_side: if > 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size if no side becomes shorter than this
    (pixels). grey_bits: used bits in a grey picture of more than 8 bits (12 in many scans); None: all 16 or 32 of its
    file, with a warning if the upper ones are empty. window: level and width in the values of such a picture: values
    below level - width / 2 become black, above level + width / 2 white (in DICOM after rescaling). A JPEG that only
    lacks its end mark is read; one that lacks pixels is refused. Raises WeftError without the source; the caller adds
    it.
    """
    if isinstance(raw, np.ndarray):
        return _checked_array(raw)
    data = raw
    if not data:
        raise WeftError("picture is empty (0 bytes)")
    try:
        if data[:3] == b"\xff\xd8\xff":
            pixels = _read_jpeg(data, max_pixels, min_side)
            if pixels is not None:
                return pixels
        if is_dicom(data):
            return read_dicom(data, max_pixels, window)
        return _read_with_pillow(data, max_pixels, grey_bits, window)
    except WeftError:
        raise
    except UnidentifiedImageError:
        raise WeftError("is not a picture in a known format") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise WeftError(f"picture has more pixels than Pillow allows ({limit})") from None
    except Exception as error:  # a damaged file makes Pillow's readers raise nearly any exception
        raise _unreadable(error) from None


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Reads width and height from the header without decoding; None if it cannot be read."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            return width, height
        with _quiet(), Image.open(io.BytesIO(data), formats=_pillow_formats()) as image:
            return image.size
    except Exception:  # Pillow's readers raise nearly any exception for a damaged file; decoding then reports the fault
        return None


def pixels_of_value(raw: Image.Image | NDArray[np.generic]) -> Pixels:
    """(H, W, 3) uint8 of a picture in memory: a Pillow image, treated like its file, or an array.

    An array is (H, W) or (H, W, 1) for grey, (H, W, 3) for RGB or (H, W, 4) with opacity, which is blended with
    white. uint8 is used unchanged, floating point from 0 to 1 is multiplied by 255. Raises WeftError for any other
    type, since its range is unknown.
    """
    if isinstance(raw, Image.Image):
        return upright(_to_rgb(raw, None), raw.getexif().get(_ORIENTATION_TAG, 1))
    array = raw[:, :, None] if raw.ndim == 2 else raw
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.size == 0:
        raise WeftError(
            f"is an array of shape {raw.shape}, expected one picture: (H, W), (H, W, 3) or (H, W, 4)"
        )
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not 0 <= low <= high <= 1:
            raise WeftError(
                f"is an array of {array.dtype} from {low:g} to {high:g}, expected floating point from 0 "
                "to 1, or uint8 from 0 to 255"
            )
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise WeftError(
            f"is an array of {array.dtype}, expected uint8 from 0 to 255, or floating point from 0 to 1"
        )
    if array.shape[2] == 4:
        return np.array(_on_white(Image.fromarray(array)))
    return _checked_array(np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undoes the rotation or mirroring of the EXIF orientation (TIFF 6.0, tag 274)."""
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
    # torch.from_numpy needs writable memory without negative strides
    pixels = np.ascontiguousarray(array, dtype=np.uint8)
    return pixels if pixels.flags.writeable else pixels.copy()


def _read_jpeg(data: bytes, max_pixels: int, min_side: int) -> Pixels | None:
    """Decodes a JPEG; None if Pillow must do it: CMYK, and files that make libjpeg warn."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    _check_size(width, height, max_pixels)
    if space not in ("YCbCr", "RGB", "Gray"):
        return None
    factor = _scale_factor(min(height, width), min_side)
    least = {"min_height": -(-height // factor), "min_width": -(-width // factor)}
    try:
        pixels = _decode_jpeg(data, least)
    except ValueError as error:
        if "premature end" in str(error).lower():
            raise WeftError("picture is truncated") from None
        return None
    return upright(pixels, jpeg_orientation(data))


def _decode_jpeg(data: bytes, least: dict[str, int]) -> Pixels:
    """Decodes a JPEG. Raises ValueError for any warning of libjpeg except a missing end mark.

    libjpeg gives the same warning for a missing end mark and for missing pixels. If the end mark is appended, only
    missing pixels still cause it.
    """
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", **least)
    except ValueError as error:
        if "premature end" not in str(error).lower():
            raise
        pixels = simplejpeg.decode_jpeg(data + _JPEG_END, colorspace="RGB", **least)
    return pixels


def _scale_factor(side: int, min_side: int) -> int:
    """Returns the largest of 1, 2, 4, 8 by which `side` may be divided.

    libjpeg's other fractions (3/8, 5/8, ...) are slower and lose 10 dB.
    """
    return max((f for f in (1, 2, 4, 8) if side // f >= min_side > 0), default=1)


def _read_with_pillow(
    data: bytes, max_pixels: int, grey_bits: int | None, window: Window | None
) -> Pixels:
    formats = _pillow_formats()
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and "HEIF" not in formats:
        raise MissingExtraError("pillow-heif", extra="heif", purpose="reading HEIC pictures")
    with _quiet():
        image = Image.open(io.BytesIO(data), formats=formats)
    with image:
        _check_size(*image.size, max_pixels)
        # For 16-bit colours Pillow keeps the upper 8 bits; only the raw mode shows that.
        deep = any(";16" in str(tile.args) for tile in image.tile)
        image.load()
        with _quiet():
            orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        pixels = _to_rgb(image, grey_bits, window)
        if deep and not image.mode.startswith("I") and pixels.max() < 64:
            _warn_of_empty_bits("colour", "bring such pictures to 8 bits first")
        return upright(pixels, orientation)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses Pillow's warnings (size, damaged EXIF), which are checked here or irrelevant.

    Warning filters are shared by all threads, hence the lock; only headers are read under it.
    """
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif|weft\.modalities)\b")
        yield


def _to_rgb(image: Image.Image, grey_bits: int | None, window: Window | None = None) -> Pixels:
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    if image.mode.startswith(("I", "F")):
        low, high = (0, _largest_grey(image, grey_bits)) if window is None else ends(window)
        for rows, part in _bands(image):
            pixels[rows] = scaled(np.asarray(part), low, high)[:, :, None]
        return pixels
    transparent = image.has_transparency_data
    for rows, part in _bands(image):
        pixels[rows] = np.asarray(_on_white(part) if transparent else part.convert("RGB"))
    return pixels


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yields horizontal bands of the picture and their rows."""
    height = max(1, _BAND // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _largest_grey(image: Image.Image, grey_bits: int | None) -> float:
    """Returns the grey value of 16 or 32 bits or floating point that becomes 255.

    Pillow's mode "I" also holds 16-bit PNG and PGM, and a float picture may range to 1 or to 255. The maximum
    distinguishes them.
    """
    peak = max(float(np.nan_to_num(np.asarray(part)).max()) for _, part in _bands(image))
    if image.mode.startswith("F"):
        return 1.0 if peak <= 1 else 255.0
    if grey_bits is not None:
        return 2.0**grey_bits - 1
    if image.mode == "I" and peak > 65535:
        return 2.0**31 - 1
    if 0 < peak < 1 << 14:
        bits = max(8, int(peak).bit_length())
        _warn_of_empty_bits("grey", f"read them with grey_bits={bits}, or with level and window")
    return 65535.0


@cache
def _warn_of_empty_bits(colours: str, advice: str) -> None:
    """Warns once for all pictures of a kind."""
    log.warning(
        "%s pictures of 16 bits use less than a quarter of their range and become nearly black: %s",
        colours,
        advice,
    )


@cache
def _pillow_formats() -> tuple[str, ...]:
    Image.init()
    if importlib.util.find_spec("pillow_heif") is not None:  # the extra "heif"
        import pillow_heif

        pillow_heif.register_heif_opener()
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
