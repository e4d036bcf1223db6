"""The parts of a sound for explanations: stretches of time, divided into a few bands for spectrograms."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.display import Axis, Display, Picture
from weft.core.records import Field

STRETCHES, BANDS = 16, 4
"""Maximum columns and rows of the grid of parts."""
HEIGHT, LEAST_WIDTH, MOST_WIDTH = 96, 192, 480
"""Size of a sound's picture in pixels. Short sounds are widened, since pages show all pictures in the same width."""


class SoundParts:
    """Cells of a grid over spectrograms (B, T, M), and over waveforms (B, S, 1), which have one row.

    The last row has the lowest bands, as in the picture. A removed part gets the mean of the sound within each band.
    Stretches are shares of the batch's longest sound.
    """

    def parts(self, field: Field) -> Tensor:
        """(B, rows x columns), True if the stretch has a real frame."""
        rows, columns = _grid(field)
        lengths_B = _real(field).sum(1)
        starts_C = torch.arange(columns, device=lengths_B.device) * field.values.shape[1] / columns
        there_BC = starts_C.ceil()[None] < lengths_B[:, None]  # its first frame is real
        return there_BC[:, None].expand(-1, rows, -1).flatten(1)

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        values_BTM, real_BT = field.values, _real(field)
        frames, bands = values_BTM.shape[1:]
        gone_B1RC = gone_BP.view(len(field), 1, *_grid(field)).float()
        gone_BMT = F.interpolate(gone_B1RC, size=(bands, frames), mode="nearest")[:, 0].bool()
        gone_BTM = gone_BMT.flip(1).transpose(1, 2) & real_BT[..., None]
        sums_B1M = values_BTM.masked_fill(~real_BT[..., None], 0).sum(1, keepdim=True)
        mean_B1M = sums_B1M / real_BT.sum(1).clamp_min(1)[:, None, None]
        return replace(field, values=torch.where(gone_BTM, mean_B1M, values_BTM))

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:
        """Returns rows and columns. An encoder's tokens must be in order of time; a grid of tokens is not recognised."""
        if tokens is None:
            return _grid(field)
        return (1, tokens) if 0 < tokens <= field.values.shape[1] else None

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Displays the spectrogram, low frequencies at the bottom, or the waveform, as the model reads it.

        The axes are the seconds of the window that is read, and the frequencies.
        """
        values_TM = field.values[0].cpu()
        frames, (rows, columns) = len(values_TM), weights.shape
        kept = frames if field.mask is None else int(field.mask[0].sum())
        weights = weights[:, : max(1, round(kept / max(1, frames) * columns))]
        ends = [min(kept, n * frames / columns) for n in range(weights.shape[1] + 1)]
        picture = Picture(
            drawn(values_TM[:kept]),
            weights.numpy(),
            columns=Axis([n * of for n in ends], "s", 2) if (of := self.frame_seconds) else None,
            rows=Axis(edges[::-1], "Hz") if (edges := self.band_edges(rows)) and rows > 1 else None,
        )
        return Display(pictures=(picture,))

    @property
    def frame_seconds(self) -> float | None:
        """The time from one frame, or sample, to the next, in seconds; None if it is not known."""
        return None

    def band_edges(self, rows: int) -> list[float]:  # noqa: ARG002
        """Returns the (rows + 1) ascending frequencies in Hz between which the rows lie; empty if the values are no
        bands."""
        return []


def drawn(values_TM: Tensor) -> np.ndarray:
    """(H, W, 3) uint8: a spectrogram (T, M) with loud as bright, or a waveform (S, 1) as the range of its samples."""
    frames, bands = values_TM.shape
    width = min(max(frames, LEAST_WIDTH), MOST_WIDTH)
    if bands > 1:
        low, high = values_TM.min(), values_TM.max()
        grey_MT = ((values_TM - low) / (high - low).clamp_min(1e-6)).T.flip(0)
        sized = F.interpolate(grey_MT[None, None].float(), size=(HEIGHT, width), mode="area")[0, 0]
    else:
        wave_11S = values_TM.T[None].float().abs()
        reach_W = F.adaptive_max_pool1d(wave_11S, width)[0, 0] / wave_11S.max().clamp_min(1e-6)
        places_H1 = torch.linspace(1, -1, HEIGHT)[:, None].abs()
        sized = (places_H1 <= reach_W[None].clamp_min(1 / HEIGHT)).float()
    pixels_HW = (sized * 255).round().to(torch.uint8).numpy()
    return np.repeat(pixels_HW[:, :, None], 3, axis=2)


def _grid(field: Field) -> tuple[int, int]:
    frames, bands = field.values.shape[1:]
    return min(BANDS, bands), min(STRETCHES, frames)


def _real(field: Field) -> Tensor:
    if field.mask is not None:
        return field.mask
    return torch.ones(field.values.shape[:2], dtype=torch.bool, device=field.values.device)
