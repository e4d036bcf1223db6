"""Decodes sounds of any format to float32 samples of one channel; only the requested part.

WAV, FLAC, Ogg and AIFF are read by soundfile (libsndfile); MP3, other formats and the sound tracks of videos by PyAV.
Neither needs system programs.
"""

import contextlib
import importlib.util
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

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
"""First bytes of formats that soundfile reads. It also reads MP3, but after a seek the first frames are silent."""
PREROLL = 1.0
"""Additional seconds that are decoded before the start: MP3 keeps up to half a second of bits in earlier frames, and
in most formats the first samples after a seek are wrong."""
_LARGEST_RATE, _MOST_CHANNELS = 768_000, 256
WINDOW = 60.0
"""Seconds that are read at a time, so that a wrong header cannot request more memory than the sound needs."""
LONGEST_GAP = 600.0
"""Maximum gap in a sound track, in seconds, that is filled with silence."""
LOUDEST = 8.0
"""Arrays with samples up to this value may hold sound amplified beyond full scale; larger values mean another scale."""
EMPTY = "sound is empty (0 samples)"
_UNKNOWN = 0x7FFF_0000
"""Sizes in the header from here on, 2 GiB, mean that the size was unknown."""


@dataclass(frozen=True)
class SoundFacts:
    """Facts about a sound before it is decoded.

    seconds: length of the selected part according to the file. rate: samples a second. lacking: seconds that the
    header announces but the file lacks, for example after an interrupted copy.
    """

    seconds: float
    rate: float
    channels: int
    lacking: float = 0.0


def sound_facts(media: Media) -> SoundFacts:
    """Reads only the header. Raises WeftError without the source; the caller adds it."""
    with _source(media) as source:
        seconds = part_length(media, source.seconds)
        if seconds <= 0:
            raise WeftError(EMPTY)
        lacking = getattr(source, "lacking", 0.0) if media.end is None else 0.0
        return SoundFacts(seconds, source.rate, source.channels, lacking)


def read_sound(
    media: Media, rate: int, *, offset: float = 0.0, seconds: float | None = None
) -> Samples:
    """(S,) float32 at `rate` samples a second: the mean of the channels, with full scale 1.0.

    offset, seconds: a section of the part that `media` selects, from its start; None: up to its end. Anything beyond
    the end is left out. Raises WeftError without the source; the caller adds it.
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


def sound_windows(media: Media) -> Iterator[tuple[float, Samples]]:
    """Yields (samples a second, (S, channels) float32) for consecutive windows of at most `WINDOW` s.

    Raises WeftError without the source; the caller adds it.
    """
    with _source(media) as source:
        place, end = media.start, media.start + part_length(media, source.seconds)
        while place < end:
            samples_SC = source.read(place, min(WINDOW, end - place))
            if not len(samples_SC):
                return
            yield source.rate, samples_SC
            place += WINDOW


def resampled(
    samples_S: Samples, held: float, rate: float, quality: Literal["LQ", "HQ"] = "HQ"
) -> Samples:
    """Resamples the sound to `rate` samples a second, without aliasing. quality: LQ is faster, for augmentation."""
    if held == rate:
        return samples_S
    require("soxr", "resampling sound")
    import soxr

    found: Samples = soxr.resample(samples_S, held, rate, quality=quality)
    return found


def require(package: str, purpose: str) -> None:
    """Raises MissingExtraError if the package is not installed."""
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(package, extra=EXTRA, purpose=purpose)


class _Array:
    """A reader for samples in memory."""

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
        if self._samples_SC.size and np.abs(self._samples_SC).max() > LOUDEST:
            raise WeftError(
                f"sound has samples of {samples.dtype} up to {np.abs(samples).max():g}, expected at most 1, or whole "
                "numbers as int16 or int32"
            )
        self.channels = self._samples_SC.shape[1]
        self.seconds = len(samples) / self.rate

    def read(self, start: float, seconds: float) -> Samples:
        first = round(start * self.rate)
        return self._samples_SC[first : first + round(seconds * self.rate)]


class _SoundFile:
    """A reader that uses soundfile."""

    def __init__(self, file: Any, share: float) -> None:
        """share: the share of the bytes announced in the header that the file holds."""
        self._file, self._place = file, 0
        self.rate, self.channels = file.samplerate, file.channels
        self.seconds = file.frames / file.samplerate
        self.lacking = self.seconds / share - self.seconds

    def read(self, start: float, seconds: float) -> Samples:
        import soundfile

        try:
            return self._read(start, seconds)
        except soundfile.SoundFileError as error:
            raise WeftError(_refused(error)) from None

    def _read(self, start: float, seconds: float) -> Samples:
        first = min(round(start * self.rate), self._file.frames)
        if first != self._place:  # a seek decodes the block around its target
            self._file.seek(first)
        self._place = first
        left, pieces = round(seconds * self.rate), []
        while True:
            count = min(left, round(WINDOW * self.rate))
            pieces.append(self._file.read(count, dtype="float32", always_2d=True))
            self._place += len(pieces[-1])
            left -= count
            if left <= 0 or len(pieces[-1]) < count:
                return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


class _Track:
    """A reader for the first sound track in a file, with PyAV."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._track = track_of(container, "audio")
        context = self._track.codec_context
        self.rate, self.channels = context.sample_rate, context.channels
        if not 0 < self.rate <= _LARGEST_RATE or not 0 < self.channels <= _MOST_CHANNELS:
            raise WeftError(f"sound has {self.rate} samples a second, {self.channels} channels")
        self._begin = origin_of(container)
        self.seconds = seconds_of(container, self._track)
        if not math.isfinite(self.seconds):
            ends = [0, *(at + len(values_SC) for at, values_SC in self._decoded(0.0))]
            self.seconds = max(ends) / self.rate

    def read(self, start: float, seconds: float) -> Samples:
        first, count = round(start * self.rate), round(seconds * self.rate)
        pieces: list[Samples] = []
        filled = 0
        for at, values_SC in self._decoded(start):
            low, high = max(at - first, filled), min(at - first + len(values_SC), count)
            if low < high:
                if low - filled > LONGEST_GAP * self.rate:
                    raise WeftError(
                        f"sound track has a gap of {(low - filled) / self.rate:.0f} s, expected at most {LONGEST_GAP:g} s"
                    )
                pieces.append(np.zeros((low - filled, self.channels), np.float32))
                pieces.append(values_SC[low - at + first : high - at + first])
                filled = high
            if at - first + len(values_SC) >= count:
                break
        return np.concatenate(pieces) if pieces else np.zeros((0, self.channels), np.float32)

    def _decoded(self, start: float) -> Iterator[tuple[int, Samples]]:
        """Yields (index of the first sample, (S, channels)) for each frame, from about a second before `start` s on."""
        place = int(max(0.0, self._begin + start - PREROLL) / self._track.time_base)
        self._container.seek(place, stream=self._track)
        for frame in self._container.decode(self._track):
            values_SC = scaled(_planes(frame))
            if values_SC.shape[1] != self.channels or frame.sample_rate != self.rate:
                raise WeftError("sound track changes its rate or channels on the way")
            time = float(frame.pts or 0) * float(frame.time_base) - self._begin
            yield round(time * self.rate), values_SC


@contextlib.contextmanager
def _source(media: Media) -> Iterator[Any]:
    """Opens the reader for a sound, and closes it afterwards."""
    if media.rate is not None:
        yield _Array(media)
        return
    with media.open() as file:
        share = _held(file)
        opened = _sound_file(file)
        if opened is not None:
            with opened:
                yield _SoundFile(opened, share)
            return
        with opened_container(file, "sound", EXTRA) as container:
            yield _Track(container)


def _held(file: BinaryIO) -> float:
    """Returns the share of a WAV or AIFF file's announced bytes that it holds; libsndfile reads a truncated file as a
    shorter one. Writers that do not know the length write 0 or the largest number."""
    head = file.read(8)
    size = file.seek(0, 2)
    file.seek(0)
    orders: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}
    if len(head) < 8 or head[:4] not in orders:
        return 1.0
    said = int.from_bytes(head[4:], orders[head[:4]]) + 8
    return size / said if size < said < _UNKNOWN else 1.0


def _sound_file(file: BinaryIO) -> Any:
    """Opens the file with soundfile; None if PyAV must read it. Raises WeftError if neither can."""
    head = file.read(16)
    file.seek(0)
    if not head.startswith(_SIGNATURES):
        return None
    require("soundfile", "reading sound")
    import soundfile

    number = _number(file)
    place = 0 if number is None else os.lseek(number, 0, os.SEEK_CUR)
    try:
        if number is None:
            opened = soundfile.SoundFile(_WithinFile(file))
        else:
            os.lseek(number, 0, os.SEEK_SET)
            opened = soundfile.SoundFile(number, closefd=False)
    except soundfile.SoundFileError as error:
        if head.startswith((b"RIFF", b"fLaC", b"FORM")):
            raise WeftError(_refused(error)) from None
        if number is not None:
            os.lseek(number, place, os.SEEK_SET)  # the position that the buffer of `file` expects
        file.seek(0)
        return None
    if not 0 < opened.samplerate <= _LARGEST_RATE:
        raise WeftError(f"sound has {opened.samplerate} samples a second")
    return opened


class _WithinFile:
    """The file, but seeking before its start is refused: with a damaged header libsndfile would do so and print an
    error."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with contextlib.suppress(ValueError, OSError):
            self._file.seek(offset, whence)
        return self.tell()


def _number(file: BinaryIO) -> int | None:
    """Returns the descriptor with which libsndfile reads a file directly, in half the time for WAV. None if the bytes
    are not a file of their own, or the system numbers descriptors separately in each library."""
    own = isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO)
    return file.fileno() if own and os.name == "posix" else None


def _refused(error: Exception) -> str:
    reason = str(error).rstrip(".").partition(": ")[2] or str(error)
    return f"sound cannot be decoded: {reason}"


def scaled(values: NDArray[Any]) -> Samples:
    """Scales integers of any width to shares of full scale; other values stay."""
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    if values.dtype not in (np.int16, np.int32):
        raise WeftError(
            f"sound has samples of {values.dtype}, expected float, int16, int32 or uint8"
        )
    shares: Samples = values.astype(np.float32) * np.float32(-1 / np.iinfo(values.dtype).min)
    return shares


def _planes(frame: Any) -> NDArray[Any]:
    """Returns (samples, channels) of a frame, whose channels may be planar or interleaved."""
    values: NDArray[Any] = frame.to_ndarray()
    if frame.format.is_planar:
        return values.T
    return values.reshape(-1, len(frame.layout.channels))
