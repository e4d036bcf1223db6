"""Encoded sounds -> float32 samples of one channel, whatever the format; only the part that is asked for.

WAV, FLAC, Ogg and AIFF go through soundfile (libsndfile); MP3, other formats and the sound track of a film through
PyAV. Neither needs programs of the system.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import MissingExtraError, WeftError
from weft.core.media import Media
from weft.modalities.containers import (
    opened_container,
    origin_of,
    part_length,
    seconds_of,
    track_of,
)

Samples = NDArray[np.float32]
EXTRA = "audio"
_SIGNATURES = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd", b"caff")
"""How the formats begin that soundfile reads. It reads MP3, too, but after a jump the first frames are silent."""
PREROLL = 1.0
"""Seconds before the start that are decoded, too: MP3 keeps up to half a second of bits in earlier frames, and the
first samples after a jump are wrong in most formats."""
_LARGEST_RATE = 768_000
EMPTY = "sound is empty (0 samples)"


@dataclass(frozen=True)
class SoundFacts:
    """What is known of a sound before it is decoded.

    seconds: length of the part that is meant, as the file says. rate: samples a second.
    """

    seconds: float
    rate: float
    channels: int


def sound_facts(media: Media) -> SoundFacts:
    """Reads the header alone. Raises WeftError without the source, which the caller adds."""
    with _source(media) as source:
        seconds = part_length(media, source.seconds)
        if seconds <= 0:
            raise WeftError(EMPTY)
        return SoundFacts(seconds, source.rate, source.channels)


def read_sound(
    media: Media, rate: int, *, offset: float = 0.0, seconds: float | None = None
) -> Samples:
    """(S,) float32 at `rate` samples a second: the mean of the channels, 1.0 is full scale.

    offset, seconds: which part of the part that `media` means, from its start; None: up to its end. What
    lies behind the end is left out. Raises WeftError without the source, which the caller adds.
    """
    with _source(media) as source:
        start = media.start + offset
        left = part_length(media, source.seconds) - offset
        wanted = left if seconds is None else min(seconds, left)
        samples_SC = source.read(start, max(0.0, wanted))
        held = source.rate
    if not len(samples_SC):
        raise WeftError(EMPTY)
    if not np.isfinite(samples_SC).all():
        raise WeftError("sound has samples that are not finite numbers")
    mono_S = samples_SC[:, 0] if samples_SC.shape[1] == 1 else samples_SC.mean(1)
    return resampled(np.ascontiguousarray(mono_S, np.float32), held, rate)


def resampled(
    samples_S: Samples, held: float, rate: float, quality: Literal["LQ", "HQ"] = "HQ"
) -> Samples:
    """The sound at `rate` samples a second, without aliasing. quality: LQ is faster, for augmentation."""
    if held == rate:
        return samples_S
    require("soxr", "resampling sound")
    import soxr

    found: Samples = soxr.resample(samples_S, held, rate, quality=quality)
    return found


def require(package: str, purpose: str) -> None:
    """Raises MissingExtraError where the package is not installed."""
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(package, extra=EXTRA, purpose=purpose)


class _Array:
    """Samples that are not encoded."""

    def __init__(self, media: Media) -> None:
        samples = media.array()
        if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
            raise WeftError(
                f"sound is {samples.dtype} {samples.shape}, expected numbers (samples,) or (samples, channels)"
            )
        if samples.ndim == 2 and samples.shape[1] > samples.shape[0] > 0:
            raise WeftError(
                f"sound has shape {samples.shape}, expected (samples, channels): the samples stand first"
            )
        if media.rate is None:
            raise WeftError("sound is an array without a rate, expected samples a second beside it")
        self.rate = media.rate
        self._samples_SC = scaled(samples[:, None] if samples.ndim == 1 else samples)
        self.channels = self._samples_SC.shape[1]
        self.seconds = len(samples) / self.rate

    def read(self, start: float, seconds: float) -> Samples:
        first = round(start * self.rate)
        return self._samples_SC[first : first + round(seconds * self.rate)]


class _SoundFile:
    """What soundfile reads."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.rate, self.channels = file.samplerate, file.channels
        self.seconds = file.frames / file.samplerate

    def read(self, start: float, seconds: float) -> Samples:
        self._file.seek(min(round(start * self.rate), self._file.frames))
        found: Samples = self._file.read(
            round(seconds * self.rate), dtype="float32", always_2d=True
        )
        return found


class _Track:
    """The first sound track of what PyAV reads."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._track = track_of(container, "audio")
        context = self._track.codec_context
        self.rate, self.channels = context.sample_rate, context.channels
        self.seconds = seconds_of(container, self._track)

    def read(self, start: float, seconds: float) -> Samples:
        first, count = round(start * self.rate), round(seconds * self.rate)
        out = np.zeros((count, self.channels), np.float32)
        filled = 0
        begin = origin_of(self._container)
        self._container.seek(
            int(max(0.0, begin + start - PREROLL) / self._track.time_base), stream=self._track
        )
        for frame in self._container.decode(self._track):
            values_SC = scaled(_planes(frame))
            at = round((float(frame.pts or 0) * float(frame.time_base) - begin) * self.rate) - first
            low, high = max(at, 0), min(at + len(values_SC), count)
            if low < high:
                out[low:high] = values_SC[low - at : high - at]
                filled = max(filled, high)
            if at + len(values_SC) >= count:
                break
        return out[:filled]


@contextmanager
def _source(media: Media) -> Iterator[Any]:
    """What reads the sound; closed afterwards."""
    if media.rate is not None:
        yield _Array(media)
        return
    with media.open() as file:
        head = file.read(16)
        file.seek(0)
        if not head:
            raise WeftError("sound is empty (0 bytes)")
        if head.startswith(_SIGNATURES):
            require("soundfile", "reading sound")
            import soundfile

            try:
                with soundfile.SoundFile(file) as opened:
                    if not 0 < opened.samplerate <= _LARGEST_RATE:
                        raise WeftError(f"sound has {opened.samplerate} samples a second")
                    yield _SoundFile(opened)
                return
            except soundfile.SoundFileError as error:
                refused = str(error).rstrip(".").partition(": ")[2] or str(error)
                if head.startswith((b"RIFF", b"fLaC", b"FORM")):
                    raise WeftError(f"sound cannot be decoded: {refused}") from None
            file.seek(0)
        with opened_container(file, "sound", EXTRA) as container:
            yield _Track(container)


def scaled(values: NDArray[Any]) -> Samples:
    """Whole numbers of any width as shares of full scale; others as they are."""
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    if values.dtype.kind != "i":
        raise WeftError(
            f"sound has samples of {values.dtype}, expected float, int16, int32 or uint8"
        )
    shares: Samples = values.astype(np.float32) * np.float32(-1 / np.iinfo(values.dtype).min)
    return shares


def _planes(frame: Any) -> NDArray[Any]:
    """(samples, channels) of a frame, whose channels lie one after the other or in turn."""
    values: NDArray[Any] = frame.to_ndarray()
    if frame.format.is_planar:
        return values.T
    return values.reshape(-1, len(frame.layout.channels))
