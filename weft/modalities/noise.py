"""Random sounds without speech: silence, noise of any colour, bursts and tones."""

import math

import torch
from torch import Tensor

LOUDEST, SOFTEST = 0.0, -70.0
"""Range of the peak level in decibels of full scale."""
SILENT = 0.1
"""Share of the sounds that are digital silence."""
BANDS = 12
"""Number of points of the random spectrum of a noise, evenly spaced on a logarithmic scale."""


def noise(samples: int, rate: int, generator: torch.Generator) -> Tensor:
    """(S,) float32: digital silence, white noise, coloured noise of varying level, or tones in noise."""
    kind = _uniform(0, 1, generator)
    if kind < SILENT:
        return torch.zeros(samples)
    found_S = torch.randn(samples, generator=generator)
    if kind > 0.25:
        found_S = _coloured(found_S, rate, generator)
    if kind > 0.4:
        found_S = found_S * _envelope(samples, rate, generator)
    if kind > 0.7:
        tones_S = _tones(samples, rate, generator) * _envelope(samples, rate, generator)
        scale = float(
            tones_S.square().mean().sqrt() / found_S.square().mean().sqrt().clamp_min(1e-9)
        )
        found_S = tones_S + found_S * scale * 10 ** (-_uniform(0, 30, generator) / 20)
    peak = 10 ** (_uniform(SOFTEST, LOUDEST, generator) / 20)
    return found_S * (peak / found_S.abs().max().clamp_min(1e-9))


def _coloured(white_S: Tensor, rate: int, generator: torch.Generator) -> Tensor:
    """The noise with a random spectrum: a slope of up to 12 dB an octave, and peaks of up to 20 dB."""
    samples = len(white_S)
    spectrum_F = torch.fft.rfft(white_S, 1 << max(1, (samples - 1).bit_length()))
    places_F = torch.linspace(0, rate / 2, len(spectrum_F)).clamp_min(30.0).log2()
    places_F = (places_F - places_F[0]) / (places_F[-1] - places_F[0]).clamp_min(1e-6)
    peaks_P = 20 * torch.rand(BANDS, generator=generator) - 12 * torch.linspace(0, 8, BANDS) * (
        _uniform(0, 1, generator)
    )
    found_S: Tensor = torch.fft.irfft(spectrum_F * 10 ** (_between_points(peaks_P, places_F) / 20))
    return found_S[:samples]


def _envelope(samples: int, rate: int, generator: torch.Generator) -> Tensor:
    """(S,) from 0 to 1: slow changes, or decaying bursts, one to twenty a second."""
    times_S = torch.arange(samples) / rate
    if _uniform(0, 1, generator) < 0.5:
        points = max(2, round(samples / rate * _uniform(1, 10, generator)) + 1)
        levels_P = torch.rand(points, generator=generator).square()
        return _between_points(levels_P, times_S / times_S[-1].clamp_min(1e-6))
    every, fade = 1 / _uniform(0.7, 20, generator), 10 ** _uniform(-2.3, -0.5, generator)
    since_S = (times_S + every * _uniform(0, 1, generator)) % every
    return torch.exp(-since_S / fade)


def _tones(samples: int, rate: int, generator: torch.Generator) -> Tensor:
    """(S,) a tone of varying pitch with its overtones."""
    times_S = torch.arange(samples) / rate
    octaves_P = torch.rand(6, generator=generator) * _uniform(0, 2, generator)
    highest = min(2000.0, rate / 8)
    pitch_S = (
        80
        * (highest / 80) ** _uniform(0, 1, generator)
        * 2 ** _between_points(octaves_P, times_S / times_S[-1].clamp_min(1e-6))
    )
    phase_S = (2 * math.pi / rate * pitch_S).cumsum(0)
    found_S = torch.zeros(samples)
    softer = _uniform(0.3, 2, generator)
    for overtone in range(1, 7):
        heard_S = pitch_S * overtone < rate / 2
        found_S += heard_S * torch.sin(overtone * phase_S) * overtone**-softer
    return found_S


def _between_points(values_P: Tensor, places_S: Tensor) -> Tensor:
    """(S,) linear between evenly spaced points; places from 0, the first, to 1, the last."""
    position_S = places_S * (len(values_P) - 1)
    low_S = position_S.floor().long().clamp(0, max(0, len(values_P) - 2))
    high_S = (low_S + 1).clamp_max(len(values_P) - 1)
    return torch.lerp(values_P[low_S], values_P[high_S], (position_S - low_S).clamp(0, 1))


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()
