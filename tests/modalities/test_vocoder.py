"""Frames that become sound again."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from weft.core.errors import WeftError
from weft.modalities.spectrogram import Spectrogram, SpectrogramConfig
from weft.modalities.vocoder import GriffinLim, HifiGan, griffin_lim, linear_magnitudes, overlap_add

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


@pytest.mark.parametrize(("width", "hop"), [(256, 64), (200, 80), (64, 64), (50, 64)])
def test_parts_add_up_as_in_a_fold(width: int, hop: int) -> None:
    parts = torch.randn(7, width, generator=torch.Generator().manual_seed(0))
    length = width + 6 * hop
    expected = F.fold(parts.T[None], (1, length), (1, width), stride=(1, hop))[0, 0, 0]
    torch.testing.assert_close(overlap_add(parts, hop), expected)


def test_a_window_shorter_than_the_transform_and_a_hop_that_does_not_divide_it() -> None:
    window = F.pad(torch.hann_window(200), (28, 28))
    magnitudes = torch.stft(tones(), 256, 70, window=window, return_complex=True).abs()
    found = griffin_lim(magnitudes, 256, 70, 200, rounds=60)
    again = torch.stft(found, 256, 70, window=window, return_complex=True).abs()
    inner = slice(4, -4)
    error = (again[:, inner] - magnitudes[:, inner]).norm() / magnitudes[:, inner].norm()
    assert error < 0.1


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


def hifi_gan(folder: Path, bands: int = 64) -> Path:
    """A vocoder that makes 64 samples of a frame."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=bands,
        upsample_initial_channel=8,
        upsample_rates=[8, 8],
        upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3, 5]],
    )
    transformers.SpeechT5HifiGan(config).save_pretrained(folder)
    return folder


def test_a_vocoder_of_transformers_reads_safetensors_alone(tmp_path: Path) -> None:
    spectrogram = Spectrogram(CONFIG, RATE)
    frames = spectrogram(tones())
    folder = hifi_gan(tmp_path / "gan")
    samples = HifiGan(str(folder)).samples(frames, spectrogram)
    assert samples.shape == (64 * len(frames),)
    assert samples.isfinite().all()
    louder = HifiGan(str(folder), shift=2.0).samples(frames, spectrogram)
    assert not torch.allclose(louder, samples)
    pickled = hifi_gan(tmp_path / "pickled")
    tensors = load_file(pickled / "model.safetensors")
    (pickled / "model.safetensors").unlink()
    torch.save(tensors, pickled / "pytorch_model.bin")
    with pytest.raises(WeftError, match="pickled' cannot be loaded: .*safetensors"):
        HifiGan(str(pickled)).samples(frames, spectrogram)
    few = hifi_gan(tmp_path / "few", bands=20)
    with pytest.raises(WeftError, match="few: reads 20 bands, but frames have 64"):
        HifiGan(str(few)).samples(frames, spectrogram)
    with pytest.raises(WeftError, match="nowhere"):
        HifiGan(str(tmp_path / "nowhere")).samples(frames, spectrogram)
