"""Frames that become sound again."""

import pytest
import torch

from weft.core.errors import WeftError
from weft.modalities.spectrogram import Spectrogram, SpectrogramConfig
from weft.modalities.vocoder import GriffinLim, griffin_lim, linear_magnitudes

RATE = 8000
CONFIG = SpectrogramConfig(mels=64, window=0.032, hop=0.008, low=60.0, floor=60.0)


def tones() -> torch.Tensor:
    times = torch.arange(RATE) / RATE
    return 0.3 * torch.sin(2 * torch.pi * 440 * times) + 0.1 * torch.sin(
        2 * torch.pi * 1500 * times
    )


def test_the_frames_of_the_sound_are_the_frames_that_it_was_made_of() -> None:
    spectrogram = Spectrogram(CONFIG, RATE)
    frames = spectrogram(tones())
    again = spectrogram(GriffinLim().samples(frames, spectrogram))
    inner = slice(4, -4)
    loud = frames[inner] > -8
    apart = (again[: len(frames)][inner] - frames[inner])[loud].abs()
    assert apart.mean() < 0.5  # of a natural logarithm: 2 dB
    assert apart.quantile(0.9) < 1.5


def test_magnitudes_that_are_of_a_sound_give_that_sound_up_to_its_phase() -> None:
    window = torch.hann_window(256)
    magnitudes = torch.stft(tones(), 256, 64, window=window, return_complex=True).abs()
    found = griffin_lim(magnitudes, 256, 64, 256, rounds=60)
    again = torch.stft(found, 256, 64, window=window, return_complex=True).abs()
    inner = slice(4, -4)
    error = (again[:, inner] - magnitudes[:, inner]).norm() / magnitudes[:, inner].norm()
    assert error < 0.1
    peaks = torch.fft.rfft(found[: RATE - 64]).abs()
    assert abs(int(peaks.argmax()) * RATE / (RATE - 64) - 440) < 5


def test_bands_have_the_energies_that_were_asked_for() -> None:
    spectrogram = Spectrogram(CONFIG, RATE)
    frames = spectrogram(tones())
    power = linear_magnitudes(frames, spectrogram).square()
    energies = (power.T @ spectrogram.bands / spectrogram.gain_factor).clamp_min(1e-6).log()
    loud = frames > -10
    assert (energies - frames)[loud].abs().mean() < 0.2


def test_the_same_frames_are_the_same_sound_and_one_frame_is_none() -> None:
    spectrogram = Spectrogram(CONFIG, RATE)
    frames = spectrogram(tones())[:20]
    assert torch.equal(
        GriffinLim(8).samples(frames, spectrogram), GriffinLim(8).samples(frames, spectrogram)
    )
    assert len(GriffinLim(8).samples(frames, spectrogram)) == 19 * spectrogram.hop
    assert len(GriffinLim(8).samples(frames[:1], spectrogram)) == 0


def test_cepstra_are_refused() -> None:
    spectrogram = Spectrogram(CONFIG.replace(cepstra=13), RATE)
    with pytest.raises(WeftError, match="13 cepstra, expected centred ones without cepstra"):
        GriffinLim().samples(spectrogram(tones()), spectrogram)
