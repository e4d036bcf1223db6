"""Sound: an encoded recording -> the samples of a window -> log-mel frames or waveform -> Field (B, T, M)."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Recording
from weft.core.interfaces import Modality
from weft.core.kinds import Kind
from weft.core.media import Joined, Media, expected
from weft.core.ranges import COUNT, DECIBELS, FINITE, POSITIVE, require
from weft.core.recent import RecentBytes
from weft.core.records import Field
from weft.modalities.audio_decoding import read_sound, sound_facts
from weft.modalities.audio_transforms import SoundChangesConfig, SpecAugmentConfig, with_noise
from weft.modalities.containers import SHORT, part_length
from weft.modalities.noise import noise
from weft.modalities.pictures import stacked
from weft.modalities.sound_parts import SoundParts
from weft.modalities.spectrogram import Spectrogram, SpectrogramConfig

QUIET = 1e-4
"""A sound whose peak is below this share of full scale (-80 dB) is not amplified."""

KEPT_BYTES = 256 << 20
_KEPT: RecentBytes[Tensor] = RecentBytes(KEPT_BYTES)
"""Cache of decoded short sounds: every epoch reads each sound again, and decoding takes longest."""


class Audio(SoundParts):
    """The modality of sounds.

    `decode` reads only the header, `transform` only the window, so long recordings are never wholly in memory.
    """

    media: Kind = "audio"

    def __init__(self, config: "AudioConfig") -> None:
        self.config = config
        self.views = config.eval_windows
        self.draws = config.draws
        self.spectrogram = Spectrogram(config.spectrogram, config.rate)
        self._changes = config.changes.build()
        self._masks = config.masks.build()

    def decode(self, raw: Media | Joined) -> "Opened":
        """Raises WeftError without the source; the caller adds it."""
        if isinstance(raw, Joined):
            sound_S = torch.cat([self._part(part) for part in raw])
            return Opened(raw[0], len(sound_S) / self.config.rate, joined=sound_S)
        sound = expected(raw, self.media)
        key = (sound.stamp(times=True), self.config.rate) if sound.place.changed() else None
        kept = None if key is None else _KEPT.get(key)
        if kept is not None:
            return Opened(sound, len(kept) / self.config.rate, key)
        return Opened(sound, sound_facts(sound).seconds, key)

    def transform(
        self, item: "Opened", *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        """(T, M) float32; with output waveform (S, 1).

        Training uses a random window with random changes; evaluation uses window `view` of evenly spaced ones.
        """
        config = self.config
        share = torch.rand((), generator=generator).item() if train else self._place(view)
        samples_S = self._prepared(self._window(item, share))
        if train:
            samples_S = self._changes(samples_S, config.rate, generator)
        elif config.eval_noise is not None:
            # Seeded by the sound, so that every evaluation reads the same noise.
            seed = int.from_bytes(
                hashlib.blake2b(samples_S.numpy().tobytes(), digest_size=8).digest()
            )
            noise = torch.Generator().manual_seed(seed)
            samples_S = with_noise(samples_S, config.eval_noise, noise)
        values_TM = self._values(samples_S)
        return self._masks(values_TM, generator) if train and self._framed else values_TM

    def noise(self, seconds: float, generator: torch.Generator) -> Tensor:
        """Generates silence or noise of that length (see `weft.modalities.noise`), at the configured level."""
        rate = self.config.rate
        return self._values(self._prepared(noise(max(1, round(seconds * rate)), rate, generator)))

    @property
    def _framed(self) -> bool:
        return self.config.output == "spectrogram"

    def _prepared(self, samples_S: Tensor) -> Tensor:
        """Trims the sound's ends, sets its level, and pads it to the window."""
        config = self.config
        samples_S = levelled(trimmed(samples_S, config.trim, config.rate), config.level)
        return filled(samples_S, config.fill, round((config.seconds or 0) * config.rate))

    def _values(self, samples_S: Tensor) -> Tensor:
        """(T, M) normalised frames; with output waveform (S, 1)."""
        config = self.config
        if not self._framed:
            return samples_S[:, None]
        values_TM = self.spectrogram(samples_S)
        if config.normalise == "fixed":
            return (values_TM - config.mean) / config.std
        over = 0 if config.normalise == "row" else (0, 1)
        deviation = values_TM.std(over, correction=0, keepdim=True).clamp_min(0.1)
        return (values_TM - values_TM.mean(over, keepdim=True)) / deviation

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B sounds (T, M) -> Field (B, T, M) with a mask (B, T), padded with zeros to the longest."""
        return stacked(items)

    def mix(self, one: Tensor, other: Tensor, ratio: float) -> Tensor:
        """Mixes two simultaneous sounds: waveforms are added, and for log energies the powers.

        `other` is cut to the length of `one`, or padded with silence.
        """
        config = self.config
        count = min(len(one), len(other))
        if config.output == "waveform":
            found = one * ratio
            found[:count] += (1 - ratio) * other[:count]
            return found
        powers = config.normalise == "fixed" and not config.spectrogram.cepstra
        if not powers:
            found = one.clone()
            found[:count] = ratio * one[:count] + (1 - ratio) * other[:count]
            return found
        scale = config.std
        found = one * scale + math.log(ratio)
        found[:count] = torch.logaddexp(found[:count], other[:count] * scale + math.log(1 - ratio))
        return found / scale

    def length(self, raw: Media) -> int:
        """Returns the frames, or samples, of the window. Trimmed sounds must be read for that."""
        item = self.decode(raw)
        if self.config.trim is not None:
            return len(self.transform(item, train=False, generator=torch.Generator()))
        seconds = item.seconds
        if self.config.seconds is not None:
            filled = self.config.fill != "nothing"
            seconds = self.config.seconds if filled else min(seconds, self.config.seconds)
        samples = round(seconds * self.config.rate)
        return samples if self.config.output == "waveform" else self.spectrogram.frames(samples)

    def show(self, raw: Any) -> Display:
        """Displays the sound with a player."""
        return Display(recordings=(Recording(raw),))

    @property
    def window(self) -> float:
        return math.inf if self.config.seconds is None else self.config.seconds

    @property
    def frame_seconds(self) -> float:
        return (self.spectrogram.hop if self._framed else 1) / self.config.rate

    def band_edges(self, rows: int) -> list[float]:
        return [] if self.config.spectrogram.cepstra else self.spectrogram.edges(rows)

    def _window(self, item: "Opened", share: float) -> Tensor:
        """(S,) the window that starts after `share` of the remaining length."""
        rate, seconds = self.config.rate, self.config.seconds
        if item.joined is None and item.seconds > SHORT:
            offset = 0.0 if seconds is None else max(0.0, item.seconds - seconds) * share
            return torch.from_numpy(read_sound(item.media, rate, offset=offset, seconds=seconds))
        whole = self._whole(item) if item.joined is None else item.joined
        # Positioned by the decoded length: the header's may be too long.
        count = len(whole) if seconds is None else min(len(whole), round(seconds * rate))
        first = round((len(whole) - count) * share)
        return whole[first : first + count]

    def _whole(self, item: "Opened") -> Tensor:
        """(S,) a short sound."""
        whole = None if item.key is None else _KEPT.get(item.key)
        if whole is None:
            whole = torch.from_numpy(read_sound(item.media, self.config.rate))
            if item.key is not None:
                _KEPT.put(item.key, whole, whole.numel() * whole.element_size())
        return whole

    def _part(self, part: Media) -> Tensor:
        """(S,) a part, cut from a cached short sound; padded with silence if it ends after the sound.

        Raises WeftError if it lies outside.
        """
        rate = self.config.rate
        item = self.decode(replace(expected(part, self.media), start=0.0, end=None))
        first, end = round(part.start * rate), round((part.end or 0) * rate)
        if item.seconds > SHORT:
            found_S = torch.from_numpy(read_sound(part, rate))
        else:
            whole_S = self._whole(item)
            part_length(part, len(whole_S) / rate)
            found_S = whole_S[first : end or None]
        return F.pad(found_S, (0, max(0, end - first - len(found_S))))

    def _place(self, view: int) -> float:
        """Relative position of window `view`: 0 at the start, 1 at the end; a single one is in the middle."""
        return 0.5 if self.views == 1 else view / (self.views - 1)


@dataclass(frozen=True)
class Opened:
    """A sound whose header has been read. seconds: its length according to the header. key: in the cache, for a file.
    joined: the samples, if it was spliced from parts."""

    media: Media
    seconds: float
    key: tuple[str, int] | None = None
    joined: Tensor | None = None


@dataclass(frozen=True)
class AudioConfig(Config[Modality]):
    """Reads sounds, augments them and computes frames."""

    rate: int = 16_000
    """Sampling rate in Hz. Other sounds are resampled."""
    seconds: float | None = None
    """Length of the window in seconds; None: the whole sound. Shorter sounds keep their length."""
    eval_windows: int = 1
    """With seconds: number of evenly spaced windows that are evaluation views. Their embeddings are averaged."""
    output: Literal["spectrogram", "waveform"] = "spectrogram"
    """Input of the encoder: log-mel frames (or cepstra), or samples."""
    spectrogram: SpectrogramConfig = field(default_factory=SpectrogramConfig)
    """How frames are computed."""
    fill: Literal["nothing", "silence", "repeat"] = "nothing"
    """Padding of a sound that is shorter than the window: none; silence; or whole repetitions of the sound, then
    silence."""
    level: Literal["kept", "peak", "rms", "unit"] = "kept"
    """kept: as recorded; peak: the largest sample becomes 1; rms: the root mean square becomes 0.1; unit: mean 0 and
    variance 1."""
    trim: float | None = None
    """At both ends, cut off stretches that are softer than the loudest one by more than this many decibels; None: no
    trimming."""
    normalise: Literal["fixed", "row", "sound"] = "fixed"
    """fixed: subtract `mean` from the frames and divide by `std`; row: normalise each band of a sound by its own mean
    and deviation; sound: normalise the whole sound by one mean and deviation, which keeps the differences between
    bands."""
    mean: float = -14.0
    """With normalise fixed: mean of log energies."""
    std: float = 4.0
    """With normalise fixed: their standard deviation."""
    changes: SoundChangesConfig = field(default_factory=SoundChangesConfig)
    """Training: random changes of samples."""
    masks: SpecAugmentConfig = field(default_factory=SpecAugmentConfig)
    """Training: masked bands and times of the frames."""
    eval_noise: float | None = None
    """Evaluation: add white noise, this many decibels below the power of the sound; None: none."""
    draws: str = "clip"
    """Streams with the same name use the same random window of a row."""

    def __post_init__(self) -> None:
        require(self, rate=COUNT, seconds=POSITIVE, eval_windows=COUNT, mean=FINITE, std=POSITIVE)
        require(self, trim=POSITIVE, eval_noise=DECIBELS)
        if self.fill != "nothing" and self.seconds is None:
            raise ValueError(
                f"fill is '{self.fill}' without seconds, expected the length of a window, or fill 'nothing'"
            )
        if self.eval_windows > 1 and self.seconds is None:
            raise ValueError(
                f"eval_windows is {self.eval_windows} without seconds, expected the length of a window, or 1"
            )
        Spectrogram(
            self.spectrogram, self.rate
        )  # raises ValueError for bands above half of the rate

    def build(self) -> Audio:
        return Audio(self)


STRETCH = 0.025
"""Seconds over which a sound's power is averaged for trimming."""
MARGIN = 0.05
"""Seconds that are kept before and after the audible part."""


def trimmed(samples_S: Tensor, decibels: float | None, rate: int) -> Tensor:
    """Returns the sound from its first to its last stretch that is within `decibels` of the loudest."""
    if decibels is None:
        return samples_S
    size = max(1, round(STRETCH * rate))
    power_T = F.avg_pool1d(samples_S.square()[None, None], size, ceil_mode=True)[0, 0]
    heard = (power_T >= power_T.max() * 10 ** (-decibels / 10)).nonzero()[:, 0]
    margin = round(MARGIN * rate)
    first = max(0, int(heard[0]) * size - margin)
    return samples_S[first : (int(heard[-1]) + 1) * size + margin]


def levelled(samples_S: Tensor, level: str) -> Tensor:
    """Sets the sound to that level. A nearly silent one stays unchanged."""
    peak = samples_S.abs().max()
    if level == "kept" or peak < QUIET:
        return samples_S
    if level == "peak":
        return samples_S / peak
    if level == "unit":
        return (samples_S - samples_S.mean()) / (samples_S.var(correction=0) + 1e-7).sqrt()
    return samples_S * (0.1 / samples_S.square().mean().sqrt())


def filled(samples_S: Tensor, how: str, count: int) -> Tensor:
    """Pads the sound to `count` samples."""
    if how == "nothing" or not 0 < len(samples_S) < count:
        return samples_S
    if how == "repeat":
        samples_S = samples_S.repeat(count // len(samples_S))
    return F.pad(samples_S, (0, count - len(samples_S)))
