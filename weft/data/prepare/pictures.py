"""Pictures for shards: optionally scaled down, and without personal metadata."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.data.prepare.media_facts import MAX_PIXELS, upright_size
from weft.data.prepare.plan import PrepareConfig
from weft.modalities.image_decoding import read_image
from weft.modalities.image_dicom import is_dicom
from weft.modalities.image_metadata import private_metadata, without_metadata


def stored_items(items: Mapping[str, Any], config: PrepareConfig) -> dict[str, Any]:
    """Returns the items of a row as its shard stores them. Raises WeftError for a picture that cannot be read."""
    stored = dict(items)
    for name, value in items.items():
        if isinstance(value, Media):
            stored[name] = _stored(value, config)
        elif isinstance(value, list | tuple) and any(isinstance(each, Media) for each in value):
            stored[name] = [_stored(m, config) if isinstance(m, Media) else m for m in value]
    return stored


def _stored(media: Media, config: PrepareConfig) -> Media:
    fitting = _smaller(media, config)
    return fitting if config.keep_metadata else _without_metadata(fitting, config.quality)


def _without_metadata(media: Media, quality: int) -> Media:
    """Returns the file without its metadata; unchanged if it has none, or is no picture."""
    if media.kind not in ("image", "file"):
        return media
    data = media.load()
    if isinstance(data, np.ndarray):
        return media
    clean = without_metadata(data)
    if clean is None and private_metadata(data):
        clean = _written_anew(data, quality)
    return Media.encoded(data if clean is None else clean, media.kind, media.suffix)


def _written_anew(data: bytes, quality: int) -> bytes:
    """Encodes a picture of another format again. HEIC and AVIF, which are lossy too, become JPEG.

    DICOM becomes a PNG with the file's own window, because its values cannot be separated from the patient's data.
    """
    out = io.BytesIO()
    if is_dicom(data):
        Image.fromarray(read_image(data, max_pixels=MAX_PIXELS)).save(out, "PNG")
        return out.getvalue()
    with Image.open(io.BytesIO(data)) as image:
        deep = image.mode.startswith(("I", "F"))
        if deep:
            upright = ImageOps.exif_transpose(image)
            Image.fromarray(np.asarray(upright)).save(out, "TIFF", compression="tiff_deflate")
            return out.getvalue()
    pixels = read_image(data, max_pixels=MAX_PIXELS)
    if data[4:8] == b"ftyp":
        return _jpeg(pixels, quality)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _smaller(media: Media, config: PrepareConfig) -> Media:
    """Scales the picture so that its longer side is at most `max_side`. Unchanged if it is small enough, or no
    picture."""
    if config.max_side is None or media.kind not in ("image", "file"):
        return media
    content = media.load()
    try:
        pixels = read_image(content, max_pixels=MAX_PIXELS, min_side=config.max_side)
    except WeftError:
        if media.kind == "file":
            return media
        raise
    width, height = upright_size(content if isinstance(content, bytes) else b"", pixels)
    scale = config.max_side / max(width, height)
    if scale >= 1:
        return media
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    return Media.encoded(_jpeg(np.asarray(small), config.quality), "image", "jpg")


def _jpeg(pixels: np.ndarray, quality: int) -> bytes:
    made: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=quality, colorsubsampling="420"
    )
    return made
