"""Small previews of entries, made when they are indexed, so that a search opens no file."""

import io

import numpy as np
from PIL import Image

from weft.core.display import Display
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.index.records import Preview
from weft.modalities.audio_decoding import read_sound, require
from weft.modalities.image_decoding import read_image
from weft.modalities.video_decoding import read_frames, video_facts

SIDE = 320
"""Longer side of a picture, in pixels."""
QUALITY = 80
LARGEST = 2**28
"""Maximum number of pixels of a picture that is read."""
LOSSLESS = 64
"""Longer side, in pixels, up to which pictures such as icons are stored without loss."""
MEDIA_TYPES = ("image/jpeg", "image/png", "audio/mpeg")
"""The media types of all previews."""
RATE, SECONDS = 16_000, 10.0
"""Sample rate and length of a sound."""


def preview_of(display: Display) -> Preview | None:
    """For a picture a JPEG, for a sound its first `SECONDS` as MP3, for a video a frame; None for texts and for
    values that cannot be decoded.
    """
    try:
        if display.pictures:
            return picture(display.pictures[0].pixels)
        if display.recordings:
            media = display.recordings[0].media
            return frame(media) if media.kind == "video" else sound(media)
    except WeftError:
        return None
    return None


def picture(pixels: np.ndarray | Media) -> Preview:
    """At most SIDE pixels wide and high. Raises WeftError if it cannot be decoded."""
    if isinstance(pixels, Media):
        pixels = read_image(pixels.load(), max_pixels=LARGEST, min_side=SIDE)
    image = Image.fromarray(pixels)
    lossless = max(image.size) <= LOSSLESS
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if lossless:
        image.save(file, "PNG", optimize=True)
        return Preview(file.getvalue(), "image/png")
    image.save(file, "JPEG", quality=QUALITY)
    return Preview(file.getvalue(), "image/jpeg")


def frame(media: Media) -> Preview:
    """The frame after a tenth of the video, since the first is often black. Raises WeftError."""
    seconds = min(video_facts(media).seconds, 3600.0)
    return picture(read_frames(media, [seconds / 10], min_side=SIDE)[0])


def sound(media: Media) -> Preview:
    """MP3, which every browser plays. Raises WeftError."""
    require("soundfile", "writing sound")
    import soundfile

    samples = read_sound(media, RATE, seconds=SECONDS)
    file = io.BytesIO()
    soundfile.write(file, samples.clip(-1, 1), RATE, format="MP3", bitrate_mode="VARIABLE")
    return Preview(file.getvalue(), "audio/mpeg")
