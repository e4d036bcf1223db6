"""Log-mel spectrograms and cepstra of sounds, with torch.stft."""

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.config import Settings
from weft.core.ranges import COUNT, NOT_NEGATIVE, POSITIVE, require

MelScale = Literal["htk", "slaney"]
Bands = Literal["hertz", "area", "mel"]
PRE_EMPHASIS = 0.97
DECIBELS = 10 / math.log(10)
"""Decibels in one unit of the natural logarithm of energies."""
AT_ONCE = 256
"""Number of frames whose Fourier transforms are in memory at once: they fit into the processor's cache."""
BANDS_AT_ONCE = 16
"""Number of neighbouring mel bands that are computed by one product, which reads only the frequencies of these bands."""


class Spectrogram:
    """Samples (S,) -> log energies of mel bands (T, M), or their cepstra (T, cepstra).

    Frame t is centred on sample t x hop; a sound of S samples has 1 + S // hop frames. Frames as in Kaldi start at
    sample t x hop and lie within the sound.
    """

    def __init__(self, config: "SpectrogramConfig", rate: int) -> None:
        self.config, self.rate = config, rate
        self.window = max(1, round(config.window * rate))
        self.hop = max(1, round(config.hop * rate))
        self.fft = config.fft or 1 << (self.window - 1).bit_length()
        if self.fft < self.window:
            raise ValueError(
                f"fft is {self.fft}, expected at least the {self.window} samples of the window"
            )
        high = config.high or rate / 2
        if high > rate / 2 or config.low >= high:
            raise ValueError(
                f"low is {config.low} Hz and high {high} Hz, expected low < high up to {rate / 2:g} Hz, "
                "half of the rate"
            )
        window = torch.hann_window(self.window, periodic=config.method == "centred")
        self._sum = float(window.sum())
        bands_FM = mel_bands(
            rate, self.fft, config.mels, config.low, high, config.scale, config.bands
        )
        self.bands = bands_FM
        self._bands = _neighbours((bands_FM / self._sum**2).repeat_interleave(2, dim=0))
        self._window = window
        self.width = config.cepstra or config.mels
        self._dct_MC = cosines(config.mels, config.cepstra) if config.cepstra else None

    def __call__(self, samples_S: Tensor) -> Tensor:
        """(T, M) float32 natural logarithms; silence is `floor` dB below full scale."""
        frames_TW = self._frames(samples_S)
        mel_TM = torch.cat([self._energies(part) for part in torch.split(frames_TW, AT_ONCE)])
        mel_TM = mel_TM.clamp_min_(10 ** (-self.config.floor / 10)).log_()
        if self.config.range is not None:
            mel_TM = mel_TM.clamp_min(float(mel_TM.max()) - self.config.range / DECIBELS)
        return mel_TM if self._dct_MC is None else mel_TM @ self._dct_MC

    def _frames(self, samples_S: Tensor) -> Tensor:
        """(T, W) each frame's samples, as a view without copies."""
        if self.config.method == "kaldi":
            missing = max(0, self.window - len(samples_S))
            return F.pad(samples_S, (0, missing)).unfold(0, self.window, self.hop)
        # The sound is extended by its mirror image, and a very short one by silence.
        count, middle = self.frames(len(samples_S)), self.fft // 2
        # If the transform is longer than the window, a frame still holds only the window's samples.
        before = middle - (self.fft - self.window) // 2
        after = self.window - before
        missing = max(0, max(middle, after) + 1 - len(samples_S))
        if missing:
            samples_S = F.pad(samples_S, (0, missing))
        begin_S, end_S = samples_S[1 : before + 1].flip(0), samples_S[-after - 1 : -1].flip(0)
        return torch.cat([begin_S, samples_S, end_S]).unfold(0, self.window, self.hop)[:count]

    def _energies(self, frames_TW: Tensor) -> Tensor:
        """(T, M) energy of each frame and band."""
        if self.config.method == "kaldi":
            frames_TW = frames_TW - frames_TW.mean(1, keepdim=True)
            before_TW = torch.cat([frames_TW[:, :1], frames_TW[:, :-1]], dim=1)
            frames_TW = frames_TW - PRE_EMPHASIS * before_TW
        spectrum_TF = torch.fft.rfft(frames_TW * self._window, self.fft)
        # Real and imaginary parts alternate. The product with the bands, each repeated twice, adds
        # their squares.
        squares_TP = torch.view_as_real(spectrum_TF).flatten(1).square_()
        return torch.cat([squares_TP[:, at] @ bands_PM for at, bands_PM in self._bands], dim=1)

    def frames(self, samples: int) -> int:
        """Returns the number of frames of a sound with this many samples."""
        if self.config.method == "kaldi":
            return 1 + max(0, samples - self.window) // self.hop
        return 1 + samples // self.hop

    def edges(self, parts: int) -> list[float]:
        """Returns the (parts + 1) ascending frequencies, in Hz, between which equal numbers of neighbouring bands lie.

        An inner edge is the peak of the first band above it.
        """
        config, high = self.config, self.config.high or self.rate / 2
        places = _evenly(config.low, high, config.mels, config.scale)
        peaks_M = _hertz(places[1:-1], config.scale)
        inner = [float(peaks_M[round(n * config.mels / parts)]) for n in range(1, parts)]
        return [config.low, *inner, high]

    @property
    def gain_factor(self) -> float:
        """The divisor of energies."""
        return self._sum**2

    @property
    def gain(self) -> float:
        """Logarithm of the divisor of energies, so that 0 is full scale."""
        return 2 * math.log(self._sum)


@dataclass(frozen=True)
class SpectrogramConfig(Settings):
    """How a sound is converted to a spectrogram."""

    mels: int = 64
    """Number of mel bands."""
    window: float = 0.025
    """Length of the Hann window in seconds. Its Fourier transform has the next power of two of samples."""
    hop: float = 0.010
    """Time between two frames in seconds."""
    low: float = 20.0
    """Lowest frequency, in Hz."""
    high: float | None = None
    """Highest frequency, in Hz; None: half of the sampling rate."""
    scale: MelScale = "slaney"
    """slaney: linear up to 1 kHz, then logarithmic (Slaney, Auditory Toolbox, 1998); htk: 2595 log10(1 + f / 700)."""
    floor: float = 100.0
    """Lower limit of energies, in dB below full scale."""
    range: float | None = None
    """Lower limit of energies, in dB below the maximum of the sound; None: no such limit."""
    fft: int | None = None
    """Samples of the Fourier transform; None: the smallest power of two that holds the window."""
    method: Literal["centred", "kaldi"] = "centred"
    """kaldi: as in Kaldi's filter banks. Frames lie within the sound, their mean is subtracted, and 0.97 times the
    previous sample is subtracted from each sample."""
    bands: Bands = "hertz"
    """hertz: triangles of height 1 over frequency; area: each divided by half its width in Hz; mel: triangles of
    height 1 over mels."""
    cepstra: int = 0
    """If more than 0: number of cepstral coefficients (MFCC) that replace the bands."""

    def __post_init__(self) -> None:
        require(
            self, mels=COUNT, window=POSITIVE, hop=POSITIVE, low=NOT_NEGATIVE, high=POSITIVE,
            floor=POSITIVE, range=POSITIVE, fft=COUNT,
            cepstra=NOT_NEGATIVE,
        )  # fmt: skip
        if self.cepstra > self.mels:
            raise ValueError(f"cepstra is {self.cepstra}, expected at most mels = {self.mels}")


def _neighbours(bands_PM: Tensor) -> list[tuple[slice, Tensor]]:
    """Groups of neighbouring bands, each with the rows of `bands_PM` outside of which the group is zero."""
    found = []
    for group_PM in torch.split(bands_PM, BANDS_AT_ONCE, dim=1):
        rows = group_PM.any(1).nonzero()[:, 0].tolist() or [0]
        at = slice(rows[0], rows[-1] + 1)
        found.append((at, group_PM[at].contiguous()))
    return found


@functools.lru_cache(maxsize=16)
def mel_bands(
    rate: int, fft: int, mels: int, low: float, high: float, scale: MelScale, form: Bands = "hertz"
) -> Tensor:
    """(fft // 2 + 1, mels) float32: triangles evenly spaced on the mel scale."""
    edges = _evenly(low, high, mels, scale)
    places_F1 = np.linspace(0, rate / 2, fft // 2 + 1)[:, None]
    if form == "mel":
        places_F1 = np.vectorize(_mel)(places_F1, scale)
    else:
        edges = _hertz(edges, scale)
    rising = (places_F1 - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - places_F1) / np.diff(edges)[1:]
    bands = np.clip(np.minimum(rising, falling), 0, None)
    if form == "area":
        bands *= 2 / (edges[2:] - edges[:-2])
    return torch.from_numpy(bands.astype(np.float32))


@functools.lru_cache(maxsize=16)
def cosines(bands: int, cepstra: int) -> Tensor:
    """(bands, cepstra) the orthonormal cosine transform, type II."""
    places = (np.arange(bands) + 0.5)[:, None] * np.arange(cepstra)[None] * math.pi / bands
    found = np.cos(places) * math.sqrt(2 / bands)
    found[:, 0] /= math.sqrt(2)
    return torch.from_numpy(found.astype(np.float32))


_BREAK = 1000 / (200 / 3)
"""Mels of 1 kHz on Slaney's scale."""
_STEP = math.log(6.4) / 27
"""Logarithm of the ratio of frequencies one mel apart, above 1 kHz."""


def _evenly(low: float, high: float, mels: int, scale: MelScale) -> np.ndarray:
    """(mels + 2,) places on the mel scale: the lowest edge, the peak of each band, and the highest edge."""
    return np.linspace(_mel(low, scale), _mel(high, scale), mels + 2)


def _mel(hertz: float, scale: MelScale) -> float:
    if scale == "htk":
        return 2595 * math.log10(1 + hertz / 700)
    return hertz / (200 / 3) if hertz < 1000 else _BREAK + math.log(hertz / 1000) / _STEP


def _hertz(mels: np.ndarray, scale: MelScale) -> np.ndarray:
    if scale == "htk":
        return np.asarray(700 * (10 ** (mels / 2595) - 1))
    return np.where(mels < _BREAK, mels * (200 / 3), 1000 * np.exp(_STEP * (mels - _BREAK)))
