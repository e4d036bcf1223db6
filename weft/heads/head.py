"""A head of the model: a decoder, its context, and the meaning of its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import unknown_name
from weft.core.interfaces import JOINT, Decoder
from weft.core.records import Features, Field
from weft.heads.output import Output


class Head(nn.Module):
    """Applies the decoder to one of the fused streams. See `HeadConfig`."""

    def __init__(
        self, decoder: nn.Module, output: Output, context: str = JOINT, views: int = 1
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.output = output
        self.context = context
        self.views = views

    def forward(self, fused: Mapping[str, Features], prefix: Field | None = None) -> Tensor:
        """Returns the decoder's output for the context and, if it reads one, the prefix."""
        found: Tensor = self.decoder(self.reads(fused), prefix)
        return found

    def reads(self, fused: Mapping[str, Features]) -> Features:
        """Returns the context among the fused streams. Raises WeftError if it is absent."""
        if self.context not in fused:
            raise unknown_name("context of the head", self.context, fused)
        return fused[self.context]


@dataclass(frozen=True)
class HeadConfig(Config[Head]):
    """A decoder of the model, its context, and the meaning of its numbers for people.

    Objectives train it and tasks measure it by its name.
    """

    decoder: Config[Decoder]
    """The part that maps the context to numbers."""
    output: Output
    """The meaning of the numbers: a class, a number, a text."""
    context: str = JOINT
    """The decoder's context: joint, or a stream after fusion."""
    views: int = 1
    """Number of evaluation views of each row whose probabilities are averaged, such as a picture and its mirror
    image."""

    def __post_init__(self) -> None:
        if self.views < 1:
            raise ValueError(f"views is {self.views}, expected at least 1")

    def build(self) -> Head:
        return Head(build(self.decoder), self.output, self.context, self.views)
