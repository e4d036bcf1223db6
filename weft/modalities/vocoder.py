"""Log-mel frames -> samples: Griffin-Lim, or a vocoder of transformers."""

import functools
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.config import Settings
from weft.core.errors import WeftError
from weft.core.ranges import COUNT, FINITE, SHARE_BELOW_1, require
from weft.hub import fetched, loading, refuse_code
from weft.modalities.spectrogram import Spectrogram

SEED = 0
"""Seed of the initial phases of Griffin-Lim."""


@dataclass(frozen=True)
class Vocoder(Settings):
    """How frames are converted to samples."""

    @abstractmethod
    def samples(self, log_mel_TM: Tensor, spectrogram: Spectrogram) -> Tensor:
        """(S,) float32 of (T, M) natural logarithms of the energies of `spectrogram`'s bands."""


@dataclass(frozen=True)
class GriffinLim(Vocoder):
    """Estimates phases that fit the magnitudes by alternating projections (Griffin & Lim 1984,
    doi:10.1109/TASSP.1984.1164317) with momentum (Perraudin et al. 2013, doi:10.1109/WASPAA.2013.6701851)."""

    rounds: int = 32
    """Number of iterations between samples and magnitudes."""
    momentum: float = 0.99

    def __post_init__(self) -> None:
        require(self, rounds=COUNT, momentum=SHARE_BELOW_1)

    def samples(self, log_mel_TM: Tensor, spectrogram: Spectrogram) -> Tensor:
        """Raises WeftError for frames that lie within the sound (Kaldi), and for cepstra."""
        config = spectrogram.config
        if config.method != "centred" or config.cepstra:
            raise WeftError(
                f"frames are {config.method} with {config.cepstra} cepstra, expected centred ones without cepstra"
            )
        magnitudes_FT = linear_magnitudes(log_mel_TM, spectrogram)
        return griffin_lim(
            magnitudes_FT, spectrogram.fft, spectrogram.hop, spectrogram.window,
            rounds=self.rounds, momentum=self.momentum,
        )  # fmt: skip


@dataclass(frozen=True)
class HifiGan(Vocoder):
    """A vocoder of transformers with the layout of SpeechT5HifiGan, such as microsoft/speecht5_hifigan."""

    pretrained: str = "microsoft/speecht5_hifigan"
    """Folder or hub name of a model whose weights are safetensors."""
    scale: float = 0.4342944819
    """Its training input was scale x natural logarithm of the magnitude + shift. This scale gives decimal logarithms."""
    shift: float = 0.0

    def __post_init__(self) -> None:
        require(self, scale=FINITE, shift=FINITE)

    def samples(self, log_mel_TM: Tensor, spectrogram: Spectrogram) -> Tensor:
        """Raises WeftError if it was trained on another number of bands."""
        network = _hifi_gan(self.pretrained)
        bands = network.config.model_in_dim
        if bands != log_mel_TM.shape[1]:
            raise WeftError(
                f"{self.pretrained}: reads {bands} bands, but frames have {log_mel_TM.shape[1]}"
            )
        # Energies are squared magnitudes, divided by the sum of the window.
        log_magnitude = (log_mel_TM + spectrogram.gain) / 2
        with torch.no_grad():
            found: Tensor = network(log_magnitude * self.scale + self.shift)
        return found.flatten()


@functools.lru_cache(maxsize=2)
def _hifi_gan(name: str) -> Any:
    """Loads it from safetensors, like all weights: nothing is unpickled."""
    from weft.modalities.audio_decoding import require as require_package

    require_package("transformers", "a vocoder of transformers")
    from transformers import SpeechT5HifiGan

    folder = fetched(name, weights=True)
    refuse_code(folder / "config.json")
    with loading(name):
        loaded: Any = SpeechT5HifiGan.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    network, report = loaded
    if report["missing_keys"]:
        raise WeftError(
            f"{name}: lacks weights of the vocoder: {sorted(report['missing_keys'])[0]}"
        )
    return network.eval()


def linear_magnitudes(log_mel_TM: Tensor, spectrogram: Spectrogram) -> Tensor:
    """(F, T) non-negative magnitudes of the short-time Fourier transform whose bands have these energies.

    Computed by multiplicative updates of non-negative least squares (Lee & Seung 2001), which spread a band's energy
    over its frequencies.
    """
    bands_FM = spectrogram.bands
    mel_MT = log_mel_TM.double().exp().T * spectrogram.gain_factor
    bands_MF = bands_FM.double().T
    power_FT = (bands_MF.T @ mel_MT).clamp_min(1e-12)
    wanted_FT = bands_MF.T @ mel_MT
    for _ in range(30):
        power_FT = power_FT * wanted_FT / (bands_MF.T @ (bands_MF @ power_FT)).clamp_min(1e-12)
    return power_FT.sqrt().float()


def griffin_lim(
    magnitudes_FT: Tensor,
    fft: int,
    hop: int,
    window: int,
    *,
    rounds: int = 32,
    momentum: float = 0.99,
) -> Tensor:
    """(S,) samples whose short-time Fourier transform approximates these magnitudes; S = hop * (T - 1)."""
    frames, count = magnitudes_FT.shape[1], hop * (magnitudes_FT.shape[1] - 1)
    if frames < 2:
        return torch.zeros(0)
    shape = torch.hann_window(window)
    before = (fft - window) // 2
    shape = F.pad(shape, (before, fft - window - before))
    inner = slice(fft // 2, fft // 2 + count)
    weights_S = overlap_add(shape.square().expand(frames, fft), hop)[inner].clamp_min(1e-8)
    turns = torch.rand(magnitudes_FT.shape, generator=torch.Generator().manual_seed(SEED))
    phases = torch.polar(torch.ones_like(turns), 2 * torch.pi * turns)

    def samples(phases_FT: Tensor) -> Tensor:
        parts_TW = torch.fft.irfft((magnitudes_FT * phases_FT).T, fft) * shape
        return overlap_add(parts_TW, hop)[inner] / weights_S

    last = torch.zeros_like(phases)
    for _ in range(rounds):
        again = torch.stft(
            samples(phases),
            fft,
            hop,
            window=shape,
            return_complex=True,
            pad_mode="reflect" if count > fft else "constant",
        )
        phases = torch.sgn(again - momentum / (1 + momentum) * last)
        last = again
    return samples(phases)


def overlap_add(parts_TW: Tensor, hop: int) -> Tensor:
    """(W + hop (T - 1),) the sum of (T, W) parts, each of which starts `hop` samples after the one before.

    Adds whole blocks of `hop` samples: about three times as fast as `torch.istft`.
    """
    count, width = parts_TW.shape
    blocks = -(-width // hop)
    parts_TNH = F.pad(parts_TW, (0, blocks * hop - width)).view(count, blocks, hop)
    total = parts_TW.new_zeros(count + blocks - 1, hop)
    for block in range(blocks):
        total[block : block + count] += parts_TNH[:, block]
    return total.flatten()[: width + hop * (count - 1)]
