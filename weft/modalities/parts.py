"""The parts of a row that explanations weight and remove, and the display of values.

`TokenParts` serves any modality of token streams. `PictureParts` and `PanelParts` are base classes for modalities of
one picture and of several.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weft.core.display import Display, Picture, Word
from weft.core.errors import WeftError
from weft.core.interfaces import NamedParts, Removable, Shown
from weft.core.media import Media
from weft.core.records import Field

MOST_SHOWN = 8
"""Maximum pictures of a row in an explanation: a video has many."""
LARGEST_GRID = 8
"""Cells along the longer side of a picture."""
MOST_CELLS = 512
"""Maximum cells over all pictures of a row, but at least one for each: the model processes the row once for each
cell."""


def parts_of(modality: object) -> Removable:
    """Returns the object that removes the parts of a row: the modality itself, or the positions of its Field."""
    return modality if isinstance(modality, Removable) else TokenParts(modality)


def shown_by(modality: object) -> Shown:
    """Returns the object that displays a value: the modality itself, or plain words and pictures."""
    return modality if isinstance(modality, Shown) else TokenParts(modality)


class TokenParts:
    """The T positions of a Field (B, T) or (B, T, D), named by the modality if it is `NamedParts`.

    A removed position is masked. A position without a name, such as that of a special token, is neither removed nor
    displayed.
    """

    def __init__(self, modality: object = None) -> None:
        self._modality = modality

    def parts(self, field: Field) -> Tensor:
        """(B, T) bool. Raises WeftError for values of another shape."""
        if field.values.ndim not in (2, 3):
            raise WeftError(
                f"values of shape {tuple(field.values.shape)} have no parts that could be removed, expected tokens "
                "(B, T) or (B, T, D), or a modality that is Removable"
            )
        named = [[name is not None for name in self._names(row)] for row in field.values.cpu()]
        return _real(field) & torch.tensor(named, device=field.values.device)

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        return replace(field, mask=_real(field) & ~gone_BP)

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:
        length = field.values.shape[1]
        return (length,) if tokens in (None, length) else None

    def show(self, raw: Any) -> Display:
        """Displays a picture as it is, anything else as text."""
        if isinstance(raw, Media) and raw.kind in ("image", "file"):
            return Display(pictures=(Picture(raw),))
        listed = isinstance(raw, list | tuple) and not isinstance(raw, str)
        return Display(words=(Word(" ".join(map(str, raw)) if listed else str(raw)),))

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Displays the names of the real positions."""
        names, real = self._names(field.values[0].cpu()), _real(field)[0].tolist()
        found = zip(names, weights.tolist(), real, strict=True)
        return Display(words=tuple(Word(n, w) for n, w, there in found if there and n is not None))

    def _names(self, values: Tensor) -> Sequence[str | None]:
        if isinstance(self._modality, NamedParts):
            return self._modality.names_of(values)
        return [str(number + 1) for number in range(len(values))]


class PictureParts:
    """Cells of a grid over pictures (B, C, H, W). A removed cell gets the picture's mean colour."""

    def parts(self, field: Field) -> Tensor:
        """(B, rows x columns), all True."""
        shape = (len(field), int(np.prod(self.layout(field) or ())))
        return torch.ones(shape, dtype=torch.bool, device=field.values.device)

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        grid = grid_of(*field.values.shape[-2:])
        return replace(field, values=without_cells(field.values, gone_BP, grid))

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:
        """Rows and columns."""
        height, width = field.values.shape[-2:]
        return grid_of(height, width) if tokens is None else token_grid(tokens, height, width)

    def show(self, raw: Any) -> Display:
        return TokenParts().show(raw)

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Displays the picture as the model reads it."""
        return Display(pictures=(Picture(pixels_of(field.values[0].cpu()), weights.numpy()),))


class PanelParts:
    """Cells of a grid over each of several pictures (B, N, C, H, W), without padding.

    With many pictures the grid is coarser, so that a row has at most `MOST_CELLS` cells, or one for each picture.
    """

    def parts(self, field: Field) -> Tensor:
        """(B, pictures x rows x columns), True for every real picture."""
        cells = math.prod(self._grid(field))
        real_BN = _real(field)
        return real_BN[:, :, None].expand(*real_BN.shape, cells).flatten(1)

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        """Removed cells get their picture's mean colour."""
        pictures = field.values.flatten(0, 1)
        values = without_cells(pictures, gone_BP.reshape(len(pictures), -1), self._grid(field))
        return replace(field, values=values.view_as(field.values))

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:
        """Pictures, and rows and columns of each."""
        pictures, _, height, width = field.values.shape[1:]
        grid: tuple[int, int] | None = self._grid(field)
        if tokens is not None:
            each, rest = divmod(tokens, pictures)
            grid = None if rest else token_grid(each, height, width)
            grid = grid if grid and math.prod(grid) == each else None
        return None if grid is None else (pictures, *grid)

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Displays the pictures as the model reads them; of many, the most important ones, in their order."""
        values = field.values[0].cpu()
        real = [place for place, there in enumerate(_real(field)[0].tolist()) if there]
        heats = [float(weights[place].clamp_min(0).sum()) for place in real]
        order = sorted(range(len(real)), key=lambda number: -heats[number])[:MOST_SHOWN]
        shown = [real[number] for number in sorted(order)]
        names = self.panel_names(len(values)) if len(real) > 1 else [""] * len(values)
        return Display(
            pictures=tuple(
                Picture(pixels_of(values[place]), weights[place].numpy(), names[place])
                for place in shown
            )
        )

    def panel_names(self, count: int) -> list[str]:
        """Returns what each of several pictures is called."""
        return [f"picture {number + 1}" for number in range(count)]

    def _grid(self, field: Field) -> tuple[int, int]:
        """Rows and columns of the cells of each picture."""
        height, width = field.values.shape[-2:]
        return grid_of(height, width, field.values.shape[1])


def grid_of(height: int, width: int, pictures: int = 1) -> tuple[int, int]:
    """Returns rows and columns of the cells of each picture in a row of this many."""
    longest, most = max(height, width), math.isqrt(MOST_CELLS // max(1, pictures))
    side = min(LARGEST_GRID, most)
    return max(1, round(side * height / longest)), max(1, round(side * width / longest))


def without_cells(values_BCHW: Tensor, gone_BP: Tensor, grid: tuple[int, int]) -> Tensor:
    """Replaces the marked cells of that grid by the mean colour of each picture."""
    height, width = values_BCHW.shape[2:]
    gone_B1HW = torch.nn.functional.interpolate(
        gone_BP.view(-1, 1, *grid).float(), size=(height, width), mode="nearest"
    ).bool()
    mean_BC11 = values_BCHW.float().mean(dim=(2, 3), keepdim=True).to(values_BCHW.dtype)
    return torch.where(gone_B1HW, mean_BC11, values_BCHW)


def token_grid(tokens: int, height: int, width: int) -> tuple[int, int] | None:
    """Returns rows and columns of an encoder's tokens over a picture, possibly after one further token.

    None if they do not form a grid of square cells.
    """
    for count in (tokens, tokens - 1):
        rows = round((count * height / width) ** 0.5) if count > 0 else 0
        if (
            rows
            and count % rows == 0
            and abs(count / rows * height - rows * width) < max(height, width)
        ):
            return rows, count // rows
    return None


def pixels_of(values_CHW: Tensor) -> np.ndarray:
    """(H, W, 3) uint8: pictures unchanged; for other spatial values the mean of the channels, with the minimum black
    and the maximum white."""
    if values_CHW.dtype != torch.uint8 or values_CHW.shape[0] != 3:
        grey_1HW = values_CHW.float().mean(0, keepdim=True)
        low, high = grey_1HW.min(), grey_1HW.max()
        values_CHW = (
            ((grey_1HW - low) * (255 / (high - low).clamp_min(1e-12))).byte().expand(3, -1, -1)
        )
    return np.asarray(values_CHW.permute(1, 2, 0).numpy())


def _real(field: Field) -> Tensor:
    """(B, T) True for real positions."""
    if field.mask is not None:
        return field.mask
    return torch.ones(field.values.shape[:2], dtype=torch.bool, device=field.values.device)
