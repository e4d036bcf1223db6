"""Decodes videos to upright uint8 RGB frames at the requested times; other frames are not kept.

Decoding starts at the key frame before a time and continues from time to time. If the next time is far ahead, it
seeks again. So a video of two hours is neither read nor stored whole.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.recent import RecentBytes
from weft.modalities.audio_decoding import sound_facts
from weft.modalities.containers import (
    opened_container,
    origin_of,
    part_length,
    seconds_of,
    track_of,
)

Frames = NDArray[np.uint8]
EXTRA = "video"
FAR = 3.0
"""If the next time is farther ahead than this many seconds, the decoder seeks instead of decoding all frames."""
EARLY = 1e-4
"""Maximum seconds by which a frame may be later than requested, since times in files are rounded."""
FACTS_BYTES = 256
"""Approximate bytes of a cached header."""


@dataclass(frozen=True)
class VideoFacts:
    """Facts about a video before it is decoded.

    seconds: length of the selected part according to the file; infinite if the file does not say. rate: mean frames a
    second; 0 if the file does not say.
    """

    seconds: float
    rate: float
    width: int
    height: int


_FACTS: RecentBytes[VideoFacts] = RecentBytes(1 << 20)
"""Cache of headers: a row that is spliced from parts asks for each of them again."""


def video_facts(media: Media) -> VideoFacts:
    """Reads only the header, once for all parts. Raises WeftError without the source; the caller adds it."""
    if media.rate is not None:
        frames = _array(media)
        seconds = part_length(media, len(frames) / media.rate)
        return VideoFacts(seconds, media.rate, frames.shape[2], frames.shape[1])
    whole = _whole_facts(media)
    return replace(whole, seconds=part_length(media, whole.seconds))


def recording_seconds(media: Media) -> float:
    """Returns the length of a video or a sound according to its header. Raises WeftError without the source."""
    facts = video_facts if media.kind == "video" else sound_facts
    return facts(media).seconds


def _whole_facts(media: Media) -> VideoFacts:
    """Facts about the whole file, whatever part is selected."""
    key = media.place.stamp(times=True) if media.place.changed() else None
    if key is not None and (kept := _FACTS.get(key)) is not None:
        return kept
    with media.open() as file, opened_container(file, "video", EXTRA) as container:
        track = track_of(container, "video")
        size = track.codec_context.width, track.codec_context.height
        rate = float(track.average_rate or 0)
        facts = VideoFacts(seconds_of(container, track), rate, *size)
    if key is not None:
        _FACTS.put(key, facts, FACTS_BYTES)
    return facts


def read_frames(media: Media, times: Sequence[float], *, min_side: int = 0) -> Frames:
    """(F, H, W, 3) uint8 RGB: the frame shown at each of the times.

    times: ascending seconds from the start of the part that `media` selects. min_side: if > 0, larger frames are
    scaled so that the shorter side has this many pixels. A time after the last frame gives the last frame. Raises
    WeftError without the source; the caller adds it.
    """
    if media.rate is not None:
        frames = _array(media)
        chosen = [int((media.start + time) * media.rate + 1e-6) for time in times]
        found: Frames = frames[np.clip(chosen, 0, len(frames) - 1)]
        return found
    with media.open() as file, opened_container(file, "video", EXTRA) as container:
        track = _Track(container, min_side)
        first = track.shown_at(media.start + times[0])
        found = np.empty((len(times), *first.shape), np.uint8)
        for number, time in enumerate(times):
            found[number] = track.shown_at(media.start + time)
        return found


@dataclass(frozen=True)
class Walked:
    """One frame of a pass through a video. time: seconds from the start of the part; None if it cannot be decoded.

    pixels: (side, side, 3) uint8, for frames at a sufficient distance from the one before.
    """

    time: float | None
    pixels: Frames | None = None


def walk(media: Media, every: float, side: int) -> Iterator[Walked]:
    """Yields all frames of the part that `media` selects, in order; damaged ones are counted, not raised.

    every: seconds between frames with pixels, which are squeezed into a square of `side` pixels. Raises WeftError
    without the source if the file is not a video.
    """
    if media.rate is not None:
        frames = _array(media)
        last = len(frames) if media.end is None else min(len(frames), round(media.end * media.rate))
        for number in range(round(media.start * media.rate), last):
            small = Image.fromarray(frames[number]).resize((side, side), Image.Resampling.BOX)
            yield Walked(number / media.rate - media.start, np.asarray(small))
        return
    import av

    with media.open() as file, opened_container(file, "video", EXTRA) as container:
        track = track_of(container, "video")
        begin, due = origin_of(container) + media.start, 0.0
        end = math.inf if media.end is None else media.end - media.start
        if media.start:
            container.seek(int(begin / track.time_base), stream=track)
        for packet in container.demux(track):
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                yield Walked(None)
                continue
            for frame in decoded:
                if frame.pts is None or frame.is_corrupt:
                    yield Walked(None)
                    continue
                time = float(frame.pts * frame.time_base) - begin
                if time >= end:
                    return
                if time < -EARLY:
                    continue
                taken = time + EARLY >= due
                due = time + every if taken else due
                yield Walked(time, _squeezed(frame, side) if taken else None)


def _squeezed(frame: Any, side: int) -> Frames:
    pixels: Frames = frame.to_ndarray(format="rgb24", width=side, height=side, interpolation="AREA")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


class _Track:
    """The first video track of a container, read forwards."""

    def __init__(self, container: Any, min_side: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._container, self._min_side = container, min_side
        self._reformatter = (
            VideoReformatter()
        )  # shared by all frames: setting one up takes a third of the time of a small frame
        self._track = track_of(container, "video")
        self._track.thread_type = "SLICE"  # the loader has its own threads
        self._begin = origin_of(container)
        self._decoded: Iterator[Any] = iter(container.decode(self._track))
        self._shown: Any = None
        self._pixels: Frames | None = None
        self._next, self._time = self._advance()

    def shown_at(self, time: float) -> Frames:
        """(H, W, 3) the frame shown at that time; times must ascend. Raises WeftError if there is none."""
        if self._next is not None and time - self._time > FAR:
            self._seek(time)
        while self._next is not None and (self._shown is None or self._time <= time + EARLY):
            self._shown, self._pixels = self._next, None
            self._next, self._time = self._advance()
        if self._shown is None:
            raise WeftError("video has no frame that can be decoded")
        if self._pixels is None:
            self._pixels = _upright(self._shown, self._min_side, self._reformatter)
        return self._pixels

    def _seek(self, time: float) -> None:
        place = int((self._begin + time) / self._track.time_base)
        self._container.seek(place, stream=self._track)
        self._decoded = iter(self._container.decode(self._track))
        found, found_time = self._advance()
        if found is not None:
            self._next, self._time = found, found_time

    def _advance(self) -> tuple[Any, float]:
        """Returns the next frame and its time, in seconds from the first one."""
        frame = next(self._decoded, None)
        if frame is None:
            return None, 0.0
        if frame.pts is None:
            raise WeftError("video has frames without a time")
        return frame, frame.time - self._begin


def _upright(frame: Any, min_side: int, reformatter: Any) -> Frames:
    """Returns the upright pixels: scaled, and rotated if the file says so."""
    shorter = min(frame.width, frame.height)
    scale = min(1.0, min_side / shorter) if min_side else 1.0
    found = reformatter.reformat(
        frame,
        format="rgb24",
        width=max(1, round(frame.width * scale)),
        height=max(1, round(frame.height * scale)),
        interpolation="AREA" if scale < 1 else "BILINEAR",
    )
    pixels: Frames = found.to_ndarray()
    turns = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _array(media: Media) -> Frames:
    frames = media.array()
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise WeftError(
            f"video is {frames.dtype} {frames.shape}, expected uint8 (frames, height, width, 3)"
        )
    return frames
