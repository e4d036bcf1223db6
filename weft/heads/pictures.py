"""A generated picture: from a text, from another picture, from a latent."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
from PIL import Image as PILImage
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Picture
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder
from weft.core.media import Media
from weft.core.needs import Needs
from weft.core.records import Field
from weft.data.learned import Learned
from weft.decoders.drawing import DrawingConfig, Shaped
from weft.heads.drawn import DrawnOutput, drawn
from weft.heads.output import Part
from weft.modalities.image import Image

MARGIN = 2
"""Margin between the pictures of a grid, in pixels."""


@dataclass(frozen=True)
class PictureValues:
    """pixels: (N, 3, H, W) uint8, on the CPU."""

    pixels: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """Converts values (N, 3, H, W) in the decoder's scale; those outside [-1, 1] are clipped."""
        return cls(((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu())

    def __len__(self) -> int:
        return len(self.pixels)

    def said(self, row: int) -> str:  # noqa: ARG002
        height, width = self.pixels.shape[-2:]
        return f"picture of {width} x {height} pixels"

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:  # noqa: ARG002
        return [(self.said(row), None)]

    def take(self, rows: Sequence[int]) -> Self:
        return type(self)(self.pixels[list(rows)])

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        return cls(torch.cat([part.pixels for part in parts]))

    def grid(self, columns: int | None = None) -> Self:
        """Joins all to one picture, row by row, with a margin of two pixels between them; `columns`: by default as
        many as rows."""
        if len(self) == 1:
            return self
        columns = columns or math.ceil(math.sqrt(len(self)))
        rows = math.ceil(len(self) / columns)
        height, width = (side + MARGIN for side in self.pixels.shape[-2:])
        whole = torch.full(
            (3, rows * height - MARGIN, columns * width - MARGIN), 255, dtype=torch.uint8
        )
        for number, pixels in enumerate(self.pixels):
            top, left = (number // columns) * height, (number % columns) * width
            whole[:, top : top + height - MARGIN, left : left + width - MARGIN] = pixels
        return type(self)(whole[None])

    def field(self) -> Field:
        """uint8 (N, 3, H, W)."""
        return Field(self.pixels)

    def array(self, row: int) -> np.ndarray:
        """(H, W, 3) uint8."""
        return self.pixels[row].permute(1, 2, 0).contiguous().numpy()

    def media(self, row: int) -> Media:
        return Media.array_of(self.array(row), "image")

    def display(self, row: int) -> Display:
        return Display(pictures=(Picture(self.array(row)),))

    def whole(self, columns: int | None = None) -> Self:
        return self.grid(columns)

    def encoded(self, row: int) -> bytes:
        """A PNG."""
        out = io.BytesIO()
        PILImage.fromarray(self.array(row)).save(out, format="png")
        return out.getvalue()


@dataclass(frozen=True)
class PictureOutput(DrawnOutput):
    """A generated picture, in the form of a picture stream."""

    does: ClassVar[str] = "generates pictures"
    suffix: ClassVar[str] = ".png"
    joined: ClassVar[bool] = True
    stream: str = "image"
    """Stream of the generated pictures; it needs no encoder."""
    drawing: DrawingConfig = field(default_factory=DrawingConfig)
    """How pictures are generated."""

    @property
    def needs(self) -> Needs:
        return Needs(streams=(self.stream,))

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        modality = learned.modalities.get(self.stream)
        if not isinstance(modality, Image):
            raise WeftError(
                f"{where}.output.stream is '{self.stream}', expected a stream of pictures of data.streams"
            )
        wanted = (3, modality.config.size, modality.config.size)
        if not isinstance(decoder, Shaped) or decoder.shape != wanted:
            shape = decoder.shape if isinstance(decoder, Shaped) else "nothing"
            raise WeftError(
                f"{where}.decoder generates {shape}, expected {wanted}, the pictures of data.streams.{self.stream}"
            )

    def values_of(self, field: Field) -> Tensor:
        """(B, 3, H, W) uint8 -> float32 in [-1, 1]."""
        return field.values.float() / 127.5 - 1

    def as_drawn(self, field: Field, learned: Learned) -> PictureValues:  # noqa: ARG002
        """uint8 (B, 3, H, W) as they are."""
        return PictureValues(field.values.cpu())

    def field_of(self, values: Tensor) -> Field:
        """(B, 3, H, W) in [-1, 1] -> pixels of 0 to 255 as floats, with their gradient, for an encoder of pictures."""
        return Field((values + 1) * 127.5)

    def read(self, parts: Sequence[Part]) -> PictureValues:
        """Generates with the only part; an ensemble cannot generate a common picture."""
        return PictureValues.of(drawn(self, parts))
