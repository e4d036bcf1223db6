"""Shared by outputs of generated values: pictures, sounds."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from weft.core.display import Display
from weft.core.draws import normal
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.records import Field
from weft.data.learned import Learned
from weft.decoders.drawing import DrawingConfig, drawer_of
from weft.heads.output import Output, Part, Values


@runtime_checkable
class DrawnValues(Values, Protocol):
    """Values generated for N rows."""

    def whole(self, columns: int | None = None) -> "DrawnValues":
        """Joins all to one value, such as a grid of pictures, if values can be joined; otherwise returns itself.
        columns: of the grid; None: about as many as rows."""
        ...

    def field(self) -> Field:
        """Returns all values as input of an encoder of their stream."""
        ...

    def media(self, row: int) -> Media:
        """Returns the value of a row as a Media, as in a data set."""
        ...

    def display(self, row: int) -> Display:
        """Returns the value of a row for display."""
        ...

    def encoded(self, row: int) -> bytes:
        """Returns the value as the content of a file with the output's `suffix`."""
        ...


@dataclass(frozen=True)
class DrawnOutput(Output):
    """A generated value of a stream. Subclasses have the settings `stream` and `drawing`.

    suffix: of a file with one value. joined: whether several values can be one file.
    """

    does: ClassVar[str] = "generates pictures or sounds"
    suffix: ClassVar[str]
    joined: ClassVar[bool] = False
    stream: str
    drawing: DrawingConfig

    @property
    def noise_of_latent(self) -> str | None:
        return f"latent {self.drawing.seed}" if self.drawing.latent == "sample" else None

    @abstractmethod
    def values_of(self, field: Field) -> Tensor:
        """(B, *shape) the stream's values in the decoder's scale, its training target."""

    @abstractmethod
    def as_drawn(self, field: Field, learned: Learned) -> DrawnValues:
        """Returns real values of the stream, read by its modality, as a perfect decoder would generate them."""

    @abstractmethod
    def field_of(self, values: Tensor) -> Field:
        """The reverse, with the gradient: input of an encoder of the stream."""


def drawn(output: DrawnOutput, parts: Sequence[Part]) -> Tensor:
    """(B, *shape) float32 values in the decoder's scale, from the only part.

    The noise of a row comes from its seed. Raises WeftError for several parts: an ensemble cannot generate a common
    value.
    """
    if len(parts) > 1:
        raise WeftError(
            f"{len(parts)} models or views cannot generate together, expected one: generated values cannot be "
            "averaged"
        )
    part = parts[0]
    decoder, noise = drawer_of(part.decoder), None
    if decoder.noise:
        if part.seeds is None:
            raise ValueError("rows have no seeds, expected some to draw from")
        noise = normal(part.seeds, f"drawn {output.drawing.seed}", *decoder.noise)
    with torch.no_grad():
        return decoder.draw(part.context, noise, output.drawing).float()
