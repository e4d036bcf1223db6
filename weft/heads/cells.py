"""Objects in the cells of a picture's grid, each with its attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder
from weft.core.needs import Needs
from weft.data.learned import Learned
from weft.data.targets.cells import NOTHING, Cells
from weft.heads.output import Output, Part, require_outputs


@dataclass(frozen=True)
class Found:
    """attributes: such as shape and color. center: x from the left and y from the top, in [0, 1]. probability: that
    there is an object, times the probabilities of its attributes."""

    attributes: Mapping[str, str]
    center: tuple[float, float]
    probability: float


@dataclass(frozen=True)
class CellValues:
    """The objects of each of N rows."""

    objects: tuple[tuple[Found, ...], ...]

    def __len__(self) -> int:
        return len(self.objects)

    def said(self, row: int) -> str:
        return (
            ", ".join(" ".join(reversed([*one.attributes.values()])) for one in self.objects[row])
            or "nothing"
        )

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:  # noqa: ARG002
        return [(self.said(row), None)]

    def take(self, rows: Sequence[int]) -> Self:
        return type(self)(tuple(self.objects[row] for row in rows))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        return cls(tuple(one for part in parts for one in part.objects))


@dataclass(frozen=True)
class CellsOutput(Output):
    """Logits of each attribute's classes for each cell; the first class means that there is no object."""

    does: ClassVar[str] = "predicts objects"
    target: str = "objects"
    """Target of `Cells`."""

    @property
    def needs(self) -> Needs:
        return Needs(targets=(self.target,))

    def cells(self, learned: Learned) -> Cells:
        """The target. Raises WeftError if it is of another kind."""
        found = learned.targets.get(self.target)
        if not isinstance(found, Cells):
            raise WeftError(f"data.targets.{self.target} is no Cells, expected one")
        return found

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        cells = self.cells(learned)
        wanted = sum(len(names) + 1 for names in cells.classes.values())
        require_outputs(
            decoder, wanted, f"the classes of data.targets.{self.target}", where, most=wanted
        )

    def read(self, parts: Sequence[Part]) -> CellValues:
        """Averages the parts' probabilities. A cell whose first attribute is most probably nothing has no object. Of
        adjacent cells with the same prediction, only the most probable one has the object."""
        cells = self.cells(parts[0].learned)
        sizes = [len(names) + 1 for names in cells.classes.values()]
        chances = [
            torch.stack([one.float().softmax(2) for one in of_attribute]).mean(0).cpu()
            for of_attribute in zip(
                *(torch.split(part.decoder(part.context).detach(), sizes, dim=2) for part in parts),
                strict=True,
            )
        ]
        return CellValues(
            tuple(
                self._objects(cells, [one[row] for one in chances])
                for row in range(len(chances[0]))
            )
        )

    def _objects(self, cells: Cells, chances: Sequence[Tensor]) -> tuple[Found, ...]:
        side = cells.config.cells
        there_T = chances[0].argmax(1) != NOTHING
        sure_T = torch.stack([one[:, 1:].amax(1) for one in chances]).prod(0)
        found: list[Found] = []
        kept: list[int] = []
        for place in sorted(
            there_T.nonzero()[:, 0].tolist(), key=lambda place: -float(sure_T[place])
        ):
            row, column = divmod(place, side)
            values = {
                name: names[int(one[place, 1:].argmax())]
                for (name, names), one in zip(cells.classes.items(), chances, strict=True)
            }
            beside = [
                other for other, one in zip(kept, found, strict=True)
                if max(abs(row - other // side), abs(column - other % side)) <= 1 and one.attributes == values
            ]  # fmt: skip
            if not beside:
                kept.append(place)
                center = (column + 0.5) / side, (row + 0.5) / side
                found.append(Found(values, center, float(sure_T[place])))
        return tuple(found)
