"""A head of the model: a decoder, what it reads, and what its numbers mean."""

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
    """The fused streams -> what the decoder makes of one of them. See `HeadConfig`."""

    def __init__(
        self, decoder: nn.Module, output: Output, context: str = JOINT, views: int = 1
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.output = output
        self.context = context
        self.views = views

    def forward(self, fused: Mapping[str, Features], prefix: Field | None = None) -> Tensor:
        """What the decoder makes of the context and, where it reads one, the prefix."""
        found: Tensor = self.decoder(self.reads(fused), prefix)
        return found

    def reads(self, fused: Mapping[str, Features]) -> Features:
        """The context among the fused streams. Raises WeftError where it is not there."""
        if self.context not in fused:
            raise unknown_name("context of the head", self.context, fused)
        return fused[self.context]


@dataclass(frozen=True)
class HeadConfig(Config[Head]):
    """A decoder of the model, what it reads, and what its numbers mean to a person.

    Objectives train it and tasks measure it by its name alone.
    """

    decoder: Config[Decoder]
    """The part that makes numbers of the context."""
    output: Output
    """What the numbers mean: a class, a number, a text."""
    context: str = JOINT
    """What the decoder reads: joint, or a stream after fusion."""
    views: int = 1
    """Evaluation views of each row whose probabilities are averaged, such as a picture and its mirror
    image."""

    def __post_init__(self) -> None:
        if self.views < 1:
            raise ValueError(f"views is {self.views}, expected at least 1")

    def build(self) -> Head:
        return Head(build(self.decoder), self.output, self.context, self.views)
