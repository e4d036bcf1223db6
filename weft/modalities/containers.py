"""Files with tracks of sound and video frames (MP4, Matroska, WebM, AVI, Ogg, ...), read by PyAV."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal

from weft.core.errors import MissingExtraError, WeftError
from weft.core.media import Media

# An explicit list, since other formats (HLS, DASH, concat) are lists of addresses, which FFmpeg
# would open.
# fmt: off
_FORMATS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "ogg", "mp3", "aac", "wav", "flac",
    "mpeg", "mpegts", "mpegvideo", "flv", "asf", "aiff", "caf", "amr", "h264", "hevc", "gif",
)
# fmt: on
MAX_PIXELS = 1 << 26
"""Maximum pixels of a frame: 8192 x 8192."""
SHORT = 30.0
"""Recordings up to this length in seconds are decoded whole and cached, even for a part."""
FAR_BEHIND = 5.0
"""Maximum ratio of a part's end to the length of its recording; tables name ends slightly beyond it."""
Track = Literal["audio", "video"]
NOUNS: dict[Track, str] = {"audio": "sound", "video": "video"}


@contextmanager
def opened_container(file: BinaryIO, noun: str, extra: str) -> Iterator[Any]:
    """Opens the container in `file`. noun: the expected content. extra: the extra that installs the package.

    Any exception of PyAV inside becomes one WeftError.
    """
    if not file.read(1):
        raise WeftError(f"{noun} is empty (0 bytes)")
    file.seek(0)
    if importlib.util.find_spec("av") is None:
        raise MissingExtraError("av", extra=extra, purpose=f"reading this {noun}")
    import av

    options = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}
    try:
        container = av.open(file, "r", container_options=options)
    except (av.FFmpegError, ValueError, OSError):
        raise WeftError(f"is not a {noun} in a known format") from None
    try:
        yield container
    except av.FFmpegError as error:
        raise WeftError(f"{noun} cannot be decoded: {error.strerror or error}") from None
    finally:
        container.close()


def track_of(container: Any, kind: Track) -> Any:
    """Returns the first track of the kind. Raises WeftError if there is none."""
    tracks = getattr(container.streams, kind)
    if not tracks:
        held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise WeftError(f"has no {NOUNS[kind]} track, it holds: {held}")
    track = tracks[0]
    if track.codec_context is None:
        raise WeftError(f"{NOUNS[kind]} track is in a format that cannot be decoded")
    if kind == "video":
        width, height = track.codec_context.width, track.codec_context.height
        if not 0 < width * height <= MAX_PIXELS:
            raise WeftError(
                f"video has frames of {width} x {height} pixels, expected at most {MAX_PIXELS:,} pixels"
            )
        track.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return track


def origin_of(container: Any) -> float:
    """Returns the start time of the file on its clock, in seconds, for sound and frames alike.

    Packets before 0 only prime a decoder and are not heard.
    """
    return max(0.0, (container.start_time or 0) / 1e6)


def seconds_of(container: Any, track: Any) -> float:
    """Returns the seconds from the file's start to the end of the track, else of the whole file; infinite if the file
    does not say. A track may start later than the file."""
    if track.duration is not None:
        return float((track.duration + (track.start_time or 0)) * track.time_base) - origin_of(
            container
        )
    return float("inf") if container.duration is None else container.duration / 1e6


def part_length(media: Media, seconds: float) -> float:
    """Returns the length of the selected part of a recording of this length, in seconds.

    Raises WeftError if it lies outside, or ends so far beyond the end that its times must have another unit.
    """
    if media.start and media.start >= seconds:
        raise WeftError(
            f"the part begins at {media.start:g} s, but the recording ends at {seconds:.3f} s"
            f"{_other_unit(media, seconds)}"
        )
    if media.end is not None and media.end > FAR_BEHIND * seconds + 1:
        raise WeftError(
            f"the part ends at {media.end:g} s, but the recording at {seconds:.3f} s{_other_unit(media, seconds)}"
        )
    return min(seconds, seconds if media.end is None else media.end) - media.start


def _other_unit(media: Media, seconds: float) -> str:
    """Returns a hint if the times would fit as milliseconds."""
    last = media.start if media.end is None else media.end
    fits = last >= 100 and last / 1000 <= seconds * 1.1
    return ", expected seconds: these look like milliseconds" if fits else ""
