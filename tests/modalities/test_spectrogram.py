"""Log-mel frames beside torch.stft and one dense product with the mel bands."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from weft.modalities.spectrogram import AT_ONCE, Spectrogram, SpectrogramConfig

RATE = 16_000


def by_stft(spectrogram: Spectrogram, samples_S: Tensor) -> Tensor:
    window = torch.hann_window(spectrogram.window)
    spectrum_FT = torch.stft(
        samples_S, spectrogram.fft, spectrogram.hop, spectrogram.window, window,
        pad_mode="reflect", return_complex=True,
    )  # fmt: skip
    energies_TM = spectrum_FT.abs().square().T @ spectrogram.bands / window.sum() ** 2
    return energies_TM.clamp_min(1e-10).log()


@pytest.mark.parametrize("seconds", [0.1, 5.0, 2.5 * AT_ONCE / 100])
@pytest.mark.parametrize(
    "config",
    [
        SpectrogramConfig(),
        SpectrogramConfig(mels=40, window=0.032, hop=0.008, scale="htk", low=60.0),
        SpectrogramConfig(mels=200, window=0.010),  # narrower than a bin: some bands are empty
        SpectrogramConfig(mels=7, fft=1024, high=3000.0),
    ],
    ids=["default", "speech", "empty bands", "few bands"],
)
def test_frames_are_those_of_stft(config: SpectrogramConfig, seconds: float) -> None:
    spectrogram = Spectrogram(config, RATE)
    samples_S = torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(0)) * 0.1
    found_TM, expected_TM = spectrogram(samples_S), by_stft(spectrogram, samples_S)
    assert found_TM.shape == (spectrogram.frames(len(samples_S)), config.mels)
    torch.testing.assert_close(found_TM, expected_TM, rtol=1e-4, atol=1e-4)


def test_threads_do_not_share_memory() -> None:
    spectrogram = Spectrogram(SpectrogramConfig(), RATE)
    sounds = [torch.randn(RATE, generator=torch.Generator().manual_seed(n)) for n in range(64)]
    expected = [spectrogram(sound_S) for sound_S in sounds]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(spectrogram, sounds))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_gradients_reach_the_samples() -> None:
    """As a loss on the spectrum of a generated sound needs."""
    spectrogram = Spectrogram(SpectrogramConfig(), RATE)
    samples_S = torch.randn(RATE, generator=torch.Generator().manual_seed(0)) * 0.1
    found = []
    for of in (spectrogram, lambda sound_S: by_stft(spectrogram, sound_S)):
        sound_S = samples_S.clone().requires_grad_()
        of(sound_S).mean().backward()
        found.append(sound_S.grad)
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("mels", [4, 64, 200])
def test_edges_ascend_also_between_empty_bands(mels: int) -> None:
    config = SpectrogramConfig(mels=mels, window=0.010, low=50.0, scale="htk")
    edges = Spectrogram(config, RATE).edges(4)
    assert edges == sorted(set(edges))
    assert (edges[0], edges[-1]) == (50.0, 8000.0)
    whole = 2595 * np.log10(1 + np.array([50.0, edges[2], 8000.0]) / 700)
    assert (whole[1] - whole[0]) / (whole[2] - whole[0]) == pytest.approx(
        (mels // 2 + 1) / (mels + 1)
    )
