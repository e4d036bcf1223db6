"""Random changes of sounds, for training: of samples and of spectrograms."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.ranges import DECIBELS, NOT_NEGATIVE, POSITIVE, SHARE, require
from weft.modalities.audio_decoding import resampled


class SoundChanges:
    """Changes samples (S,) at random: speed (and thereby length), level, start, noise."""

    def __init__(self, config: "SoundChangesConfig") -> None:
        self.config = config

    def __call__(self, samples_S: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        config = self.config
        if config.speed is not None:
            samples_S = faster(samples_S, _between(*config.speed, generator))
        if config.shift:
            most = round(config.shift * rate)
            samples_S = shifted(samples_S, int(_between(-most, most + 1, generator)))
        if config.gain:
            samples_S = samples_S * 10 ** (_between(-config.gain, config.gain, generator) / 20)
        if config.noise is not None and _between(0, 1, generator) < config.noise_chance:
            samples_S = with_noise(samples_S, _between(*config.noise, generator), generator)
        return samples_S


@dataclass(frozen=True)
class SoundChangesConfig(Config[SoundChanges]):
    """Random changes of a sound's samples."""

    speed: tuple[float, float] | None = None
    """Range of the speed factor, which also shifts the pitch (Ko et al., Audio Augmentation for Speech Recognition,
    2015); None: unchanged."""
    gain: float = 0.0
    """Maximum change of level in decibels, in both directions."""
    shift: float = 0.0
    """Maximum shift in time in seconds, in both directions. The gap is silence."""
    noise: tuple[float, float] | None = None
    """Range of the ratio of the sound's power to that of white noise, in decibels; None: no noise."""
    noise_chance: float = 0.5
    """With noise: share of the sounds that get it."""

    def __post_init__(self) -> None:
        require(self, gain=NOT_NEGATIVE, shift=NOT_NEGATIVE, noise=DECIBELS, noise_chance=SHARE)
        require(self, speed=POSITIVE)
        if self.speed is not None and not self.speed[0] <= self.speed[1]:
            raise ValueError(f"speed is {self.speed}, expected the lowest factor first")
        if self.noise is not None and not self.noise[0] <= self.noise[1]:
            raise ValueError(f"noise is {self.noise}, expected the lowest ratio first")

    def build(self) -> SoundChanges:
        return SoundChanges(self)


class SpecAugment:
    """Replaces bands and stretches of time of a spectrogram by its mean (Park et al., 2019, section 2)."""

    def __init__(self, config: "SpecAugmentConfig") -> None:
        self.config = config

    def __call__(self, values_TM: Tensor, generator: torch.Generator) -> Tensor:
        config = self.config
        frames, bands = values_TM.shape
        hidden_TM = torch.zeros(frames, bands, dtype=torch.bool)
        for _ in range(config.bands):
            first, end = _stretch(bands, config.bands_share, generator)
            hidden_TM[:, first:end] = True
        for _ in range(config.times):
            first, end = _stretch(frames, config.times_share, generator)
            hidden_TM[first:end] = True
        return torch.where(hidden_TM, values_TM.mean(), values_TM)


@dataclass(frozen=True)
class SpecAugmentConfig(Config[SpecAugment]):
    """SpecAugment without time warping."""

    bands: int = 0
    """Number of masked stretches of bands."""
    bands_share: float = 0.2
    """Maximum width of these, as a share of all bands."""
    times: int = 0
    """Number of masked stretches of time."""
    times_share: float = 0.15
    """Maximum length of these, as a share of the sound."""

    def __post_init__(self) -> None:
        require(self, bands=NOT_NEGATIVE, bands_share=SHARE, times=NOT_NEGATIVE, times_share=SHARE)

    def build(self) -> SpecAugment:
        return SpecAugment(self)


def faster(samples_S: Tensor, factor: float) -> Tensor:
    """Speeds up the sound by `factor`, without aliasing."""
    found = resampled(samples_S.numpy(), factor, 1.0, quality="LQ")
    return torch.from_numpy(found if len(found) else np.zeros(1, np.float32))


def with_noise(samples_S: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
    """Adds white noise with a power `ratio` decibels below that of the whole sound."""
    power = samples_S.square().mean()
    noise_S = torch.randn(samples_S.shape, generator=generator)
    return samples_S + noise_S * (power * 10 ** (-ratio / 10)).sqrt()


def shifted(samples_S: Tensor, by: int) -> Tensor:
    """Delays the sound by this many samples, keeping its length. The gap is silence."""
    if not by:
        return samples_S
    out_S = torch.zeros_like(samples_S)
    if by > 0:
        out_S[by:] = samples_S[:-by]
    else:
        out_S[:by] = samples_S[-by:]
    return out_S


def _between(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def _stretch(size: int, share: float, generator: torch.Generator) -> tuple[int, int]:
    width = int(_between(0, share * size + 1, generator))
    first = int(_between(0, size - width + 1, generator))
    return first, first + width
