"""Facts about a sound or a video from one pass: lengths, levels, damage, and fingerprints.

A sound is identified by its spectrogram; a video by the mean of its frames, by its motion, and by its sound track.
Each is treated as a picture, whose perceptual fingerprint (`fingerprints`) is compared like that of a picture. From a
spectrogram the mean of each band is subtracted first: rain sounds like other rain, but changes differently over time.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.data.prepare.fingerprints import fingerprint
from weft.modalities.audio_decoding import EMPTY, sound_facts, sound_windows
from weft.modalities.video_decoding import video_facts, walk

FULL_SCALE = 1 - 2.0**-11
"""A sample from this level on counts as clipped. Lossy encoders miss full scale by a little."""
QUIETEST = -200.0
"""dBFS that stands for no sound at all."""
SILENT = -60.0
"""dBFS: a sound whose peak is lower is silent."""
BANDS, LOWEST, HIGHEST = 32, 100.0, 3800.0
"""Frequency range of the spectrogram in Hz, which telephones transmit too."""
CLIPPED = 0.001
"""A sound is clipped if a larger share of its samples is at full scale. A limiter leaves only single ones."""
FRAME = 0.064
"""Length of a spectrogram frame in seconds."""
RANGE = 60.0
"""Dynamic range of the spectrogram: dB below the loudest value."""
FRAMES, SIDE = 16, 64
"""Frames of a video for its fingerprints, and their width and height in pixels."""
UNSAID = 1.0
"""Seconds between these frames if the file does not give its length."""
MOTION_GAIN = 4.0


@dataclass(frozen=True)
class RecordingFacts:
    """Facts about a sound or a video.

    seconds: as decoded; said: length of the part according to the header. beyond: seconds by which the part ends
    after the recording does. rate: samples or frames a second. channels, peak (dBFS), clipped (share of the samples
    at full scale): of the sound; channels is 0 if there is none. size: width and height of the frames. damaged:
    frames that cannot be decoded. looks: further fingerprints besides that of MediaFacts, None for one without
    information.
    """

    seconds: float
    said: float | None
    beyond: float
    rate: float
    channels: int = 0
    peak: float = QUIETEST
    clipped: float = 0.0
    size: tuple[int, int] | None = None
    damaged: int = 0
    looks: tuple[bytes | None, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether there is a sound track, but no sample above `SILENT`."""
        return self.channels > 0 and self.peak < SILENT

    @property
    def is_clipped(self) -> bool:
        """Whether more than `CLIPPED` of the samples are at full scale."""
        return self.clipped > CLIPPED


def sound_recording(media: Media) -> tuple[RecordingFacts, bytes | None]:
    """Returns the facts of a sound and its fingerprint. The whole sound is decoded, in windows. Raises WeftError."""
    said = sound_facts(media)
    count, clipped, peak = 0, 0, 0.0
    bands: list[NDArray[np.float32]] = []
    for rate, samples_SC in sound_windows(media):
        if not np.isfinite(samples_SC).all():
            raise WeftError("sound has samples that are not finite numbers")
        loud = np.abs(samples_SC)
        peak = max(peak, float(loud.max()))
        clipped += int((loud >= FULL_SCALE).sum())
        count += len(samples_SC)
        bands.append(_bands(samples_SC.mean(1), rate))
    if not count:
        raise WeftError(EMPTY)
    facts = RecordingFacts(
        seconds=count / said.rate,
        said=_finite(said.seconds + said.lacking),
        beyond=_beyond(media, said.seconds),
        rate=said.rate,
        channels=said.channels,
        peak=round(max(QUIETEST, 20 * math.log10(max(peak, 1e-10))), 2),
        clipped=clipped / (count * said.channels),
    )
    return facts, None if facts.silent else _spectrogram_look(np.concatenate(bands))


def video_recording(media: Media) -> tuple[RecordingFacts, bytes | None]:
    """Returns the facts of a video and the fingerprint of its mean frame. All frames are decoded. Raises WeftError."""
    said = video_facts(media)
    every = said.seconds / FRAMES if math.isfinite(said.seconds) else UNSAID
    frames: list[NDArray[np.float32]] = []
    last, damaged, count = 0.0, 0, 0
    for walked in walk(media, every, SIDE):
        if walked.time is None:
            damaged += 1
            continue
        last, count = max(last, walked.time), count + 1
        if walked.pixels is not None and len(frames) < 4 * FRAMES:
            frames.append(walked.pixels.astype(np.float32))
    if not frames:
        raise WeftError("video has no frame that can be decoded")
    rate = said.rate or (count / last if last else 0.0)
    track, heard = _track(media)
    facts = RecordingFacts(
        seconds=last + (1 / rate if rate else 0.0),
        said=_finite(said.seconds),
        beyond=_beyond(media, said.seconds),
        rate=rate,
        channels=track.channels if track else 0,
        peak=track.peak if track else QUIETEST,
        clipped=track.clipped if track else 0.0,
        size=(said.width, said.height),
        damaged=damaged,
        looks=(_motion_look(frames), heard),
    )
    mean: NDArray[Any] = np.mean(frames, axis=0).round().astype(np.uint8)
    return facts, fingerprint(mean)


def _track(media: Media) -> tuple[RecordingFacts | None, bytes | None]:
    """Returns the facts of a video's sound track; None if there is none that can be read."""
    if media.rate is not None:
        return None, None
    try:
        return sound_recording(media.of_kind("audio"))
    except WeftError:
        return None, None


def _beyond(media: Media, said: float) -> float:
    end = media.start + said
    return 0.0 if media.end is None else round(max(0.0, media.end - end), 3)


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _bands(samples_S: NDArray[Any], rate: float) -> NDArray[np.float32]:
    """Returns (frames, BANDS) energies of adjacent, non-overlapping frames."""
    width = max(2, round(FRAME * rate))
    padded_S = np.pad(samples_S, (0, -len(samples_S) % width))
    power_TF = np.abs(np.fft.rfft(padded_S.reshape(-1, width) * np.hanning(width))) ** 2
    edges = np.geomspace(LOWEST, HIGHEST, BANDS + 1) * width / rate
    places = np.clip(edges.round().astype(int), 0, power_TF.shape[1] - 1)
    found = np.stack(
        [power_TF[:, a : max(a + 1, b)].mean(1) for a, b in pairwise(places.tolist())], axis=1
    )
    return found.astype(np.float32)


def _spectrogram_look(energies_TM: NDArray[np.float32]) -> bytes | None:
    """Returns the fingerprint of the spectrogram minus the mean of each band."""
    level_TM = 10 * np.log10(np.maximum(energies_TM, 1e-12))
    level_TM = np.maximum(level_TM, level_TM.max() - RANGE)
    moved_TM = level_TM - level_TM.mean(0)
    return _look_of_differences(moved_TM.T[:, :, None].repeat(3, axis=2), 2.0)


def _motion_look(frames: list[NDArray[np.float32]]) -> bytes | None:
    """Returns the fingerprint of the differences of four evenly spaced frames from the mean; None without motion."""
    mean = np.mean(frames, axis=0)
    chosen = [frames[round(n * (len(frames) - 1) / 3)] - mean for n in range(4)]
    sheet = np.concatenate(
        [np.concatenate(chosen[:2], axis=1), np.concatenate(chosen[2:], axis=1)], axis=0
    )
    return _look_of_differences(sheet, MOTION_GAIN)


def _look_of_differences(differences: NDArray[Any], gain: float) -> bytes | None:
    pixels = (128 + gain * differences).clip(0, 255).round().astype(np.uint8)
    return fingerprint(np.ascontiguousarray(pixels))
