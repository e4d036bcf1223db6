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
"""A sound whose largest sample is below this share of full scale (-80 dB) is not made louder."""

KEPT_BYTES = 256 << 20
_KEPT: RecentBytes[Tensor] = RecentBytes(KEPT_BYTES)
"""Short sounds as they were decoded last: an epoch reads each again, and decoding takes longer than the rest."""


class Audio(SoundParts):
    """The modality of sounds.

    `decode` reads the header alone, `transform` the window that it takes: of a long recording no more is in
    memory.
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
        """Raises WeftError without the source, which the caller adds."""
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

        In training a random window with random changes; else window `view` of evenly placed ones.
        """
        config = self.config
        share = torch.rand((), generator=generator).item() if train else self._place(view)
        samples_S = self._prepared(self._window(item, share))
        if train:
            samples_S = self._changes(samples_S, config.rate, generator)
        elif config.eval_noise is not None:
            # Of its own seed, so that a sound is the same whenever it is evaluated.
            seed = int.from_bytes(
                hashlib.blake2b(samples_S.numpy().tobytes(), digest_size=8).digest()
            )
            noise = torch.Generator().manual_seed(seed)
            samples_S = with_noise(samples_S, config.eval_noise, noise)
        values_TM = self._values(samples_S)
        return self._masks(values_TM, generator) if train and self._framed else values_TM

    def noise(self, seconds: float, generator: torch.Generator) -> Tensor:
        """Silence or noise of that length (see `weft.modalities.noise`), at the level at which sounds are read."""
        rate = self.config.rate
        return self._values(self._prepared(noise(max(1, round(seconds * rate)), rate, generator)))

    @property
    def _framed(self) -> bool:
        return self.config.output == "spectrogram"

    def _prepared(self, samples_S: Tensor) -> Tensor:
        """The sound without its ends, at its level, as long as the window."""
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
        """Sounds heard at once: waveforms add, and so do the powers of frames that can be told from logarithms.

        `other` is cut to the length of `one`, or followed by silence.
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
        """Frames, or samples, of the window; of trimmed sounds it is read for that."""
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
        """The sound, to be played."""
        return Display(recordings=(Recording(raw),))

    def _window(self, item: "Opened", share: float) -> Tensor:
        """(S,) the window that begins after `share` of what is left beside it."""
        rate, seconds = self.config.rate, self.config.seconds
        if item.joined is None and item.seconds > SHORT:
            offset = 0.0 if seconds is None else max(0.0, item.seconds - seconds) * share
            return torch.from_numpy(read_sound(item.media, rate, offset=offset, seconds=seconds))
        whole = self._whole(item) if item.joined is None else item.joined
        # Placed in what was decoded: a header may say that there is more.
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
        """(S,) a part, which is cut out of a short sound that is kept; silence where it ends behind the sound.

        Raises WeftError where it lies outside.
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
        """Where window `view` lies: 0 at the start, 1 at the end; a single one lies in the middle."""
        return 0.5 if self.views == 1 else view / (self.views - 1)


@dataclass(frozen=True)
class Opened:
    """A sound whose header has been read; seconds: its length as that says. key: of what is kept of it, if it is a
    file. joined: the samples of one that was put together of parts."""

    media: Media
    seconds: float
    key: tuple[str, int] | None = None
    joined: Tensor | None = None


@dataclass(frozen=True)
class AudioConfig(Config[Modality]):
    """Reads sounds, augments them and computes frames."""

    rate: int = 16_000
    """Samples a second; sounds of another rate are resampled."""
    seconds: float | None = None
    """Length of the window; None: the whole sound. Shorter sounds stay as long as they are."""
    eval_windows: int = 1
    """With seconds: how many evenly placed windows are evaluation views, whose embeddings are averaged."""
    output: Literal["spectrogram", "waveform"] = "spectrogram"
    """What encoders get: log-mel frames (or cepstra), or the samples."""
    spectrogram: SpectrogramConfig = field(default_factory=SpectrogramConfig)
    """How frames are made."""
    fill: Literal["nothing", "silence", "repeat"] = "nothing"
    """What follows a sound that is shorter than the window: nothing; silence; or the sound itself as often as it fits,
    then silence."""
    level: Literal["kept", "peak", "rms", "unit"] = "kept"
    """kept: as recorded; peak: the largest sample becomes 1; rms: the root mean square becomes 0.1; unit: samples of mean
    0 and variance 1."""
    trim: float | None = None
    """What is more than so many decibels softer than the loudest stretch is cut off at both ends; None: nothing."""
    normalise: Literal["fixed", "row", "sound"] = "fixed"
    """fixed: frames less `mean`, divided by `std`; row: each band of a sound by its own mean and deviation; sound: all
    of a sound by its one mean and deviation, which keeps what distinguishes its bands."""
    mean: float = -14.0
    """With normalise fixed: the mean of log energies."""
    std: float = 4.0
    """With normalise fixed: their standard deviation."""
    changes: SoundChangesConfig = field(default_factory=SoundChangesConfig)
    """Training: random changes of the samples."""
    masks: SpecAugmentConfig = field(default_factory=SpecAugmentConfig)
    """Training: bands and times of the frames that are hidden."""
    eval_noise: float | None = None
    """Evaluation: white noise is added, so many decibels below the power of the sound; None: none."""
    draws: str = "clip"
    """Streams of one name take the same random window of a row."""

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
"""Seconds over which the power of a sound is averaged where its ends are cut off."""
MARGIN = 0.05
"""Seconds that are left before and behind what is heard."""


def trimmed(samples_S: Tensor, decibels: float | None, rate: int) -> Tensor:
    """The sound from its first to its last stretch that is at most so many decibels softer than the loudest."""
    if decibels is None:
        return samples_S
    size = max(1, round(STRETCH * rate))
    power_T = F.avg_pool1d(samples_S.square()[None, None], size, ceil_mode=True)[0, 0]
    heard = (power_T >= power_T.max() * 10 ** (-decibels / 10)).nonzero()[:, 0]
    margin = round(MARGIN * rate)
    first = max(0, int(heard[0]) * size - margin)
    return samples_S[first : (int(heard[-1]) + 1) * size + margin]


def levelled(samples_S: Tensor, level: str) -> Tensor:
    """The sound at that level; one that is nearly silent stays as it is."""
    peak = samples_S.abs().max()
    if level == "kept" or peak < QUIET:
        return samples_S
    if level == "peak":
        return samples_S / peak
    if level == "unit":
        return (samples_S - samples_S.mean()) / (samples_S.var(correction=0) + 1e-7).sqrt()
    return samples_S * (0.1 / samples_S.square().mean().sqrt())


def filled(samples_S: Tensor, how: str, count: int) -> Tensor:
    """The sound followed by what fills it up to `count` samples."""
    if how == "nothing" or not 0 < len(samples_S) < count:
        return samples_S
    if how == "repeat":
        samples_S = samples_S.repeat(count // len(samples_S))
    return F.pad(samples_S, (0, count - len(samples_S)))
