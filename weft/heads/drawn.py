"""What outputs of drawn values share: pictures, sounds."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from weft.core.display import Display
from weft.core.draws import normal
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.records import Field
from weft.data.learned import Learned
from weft.decoders.drawing import Drawer, DrawingConfig
from weft.heads.output import Output, Part, Values


@runtime_checkable
class DrawnValues(Values, Protocol):
    """Values that were drawn for N rows."""

    def whole(self) -> "DrawnValues":
        """All as one value, such as a grid of pictures, where values can be joined; themselves otherwise."""
        ...

    def field(self) -> Field:
        """All, as an encoder of their stream reads them."""
        ...

    def media(self, row: int) -> Media:
        """That of a row, as a row of data holds it."""
        ...

    def display(self, row: int) -> Display:
        """That of a row, as a person is shown it."""
        ...

    def encoded(self, row: int) -> bytes:
        """The content of a file of it, whose name ends with the output's `suffix`."""
        ...


@dataclass(frozen=True)
class DrawnOutput(Output):
    """A value of a stream is drawn. Subclasses have the settings `stream` and `drawing`.

    suffix: of a file of one value. joined: whether several values can be one file.
    """

    suffix: ClassVar[str]
    joined: ClassVar[bool] = False
    stream: str
    drawing: DrawingConfig

    @abstractmethod
    def values_of(self, field: Field) -> Tensor:
        """(B, *shape) the stream's values in the decoder's scale, as it is trained to draw them."""

    @abstractmethod
    def as_drawn(self, field: Field, learned: Learned) -> DrawnValues:
        """True values of the stream, as its modality reads them, as if they had been drawn: what a perfect decoder gives."""

    @abstractmethod
    def field_of(self, values: Tensor) -> Field:
        """The reverse, with its gradient, as an encoder of the stream reads it."""


def drawn(output: DrawnOutput, parts: Sequence[Part]) -> Tensor:
    """(B, *shape) float32 values in the decoder's scale, of the one part.

    The noise of a row comes from its seed. Raises WeftError for several parts: an ensemble draws nothing in common.
    """
    if len(parts) > 1:
        raise WeftError(
            f"{len(parts)} models or views cannot draw together, expected one: the mean of two pictures is none"
        )
    part = parts[0]
    decoder, noise = cast(Drawer, part.decoder), None
    if decoder.noise:
        if part.seeds is None:
            raise ValueError("rows have no seeds, expected some to draw from")
        noise = normal(part.seeds, f"drawn {output.drawing.seed}", *decoder.noise)
    with torch.no_grad():
        return decoder.draw(part.context, noise, output.drawing).float()
