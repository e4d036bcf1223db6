"""Objects in a picture, or in each frame of a video: the attributes of the object in each cell of a grid."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Target
from weft.data.targets.classes import class_name

NOTHING = 0
"""The class of a cell without the centre of an object, and of a value that was not learned."""


class Cells:
    """A list of objects -> for each cell of a grid the classes of its object, (B, T, A) int64.

    An object is a dict with its box (x0, y0, x1, y1 in [0, 1]) and its attributes. It belongs to the cell of its
    centre. Of several in one cell the last counts, since it covers the others. Classes count from 1, in the order of
    their names; cells run row by row. For a video of F frames, T is F grids in sequence, and an object's `frame`
    gives its frame, from 0.
    """

    def __init__(self, config: "CellsConfig") -> None:
        self.config = config
        self.column = config.column
        self.classes: dict[str, tuple[str, ...]] = {}

    def read(self, raw: Any) -> Tensor:
        """(T, A) int64."""
        side, names = self.config.cells, self.config.attributes
        frames = self.config.frames
        found = torch.full((frames * side * side, len(names)), NOTHING)
        for thing in _objects(raw, self.column):
            x, y = _centre(thing)
            cell = min(int(y * side), side - 1) * side + min(int(x * side), side - 1)
            cell += _frame(thing, frames) * side * side
            for place, name in enumerate(names):
                known, value = self.classes[name], _value(thing, name)
                found[cell, place] = known.index(value) + 1 if value in known else NOTHING
        return found

    def collate(self, items: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(items))

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns each attribute's classes. Raises WeftError where no object has the attribute."""
        values = {name: Counter[str]() for name in self.config.attributes}
        for raw in raws:
            for thing in _objects(raw, self.column):
                for name, counts in values.items():
                    counts[_value(thing, name)] += 1
        for name, counts in values.items():
            if not counts:
                raise WeftError(f"no training row has an object with a '{name}'")
        self.classes = {name: tuple(sorted(counts)) for name, counts in values.items()}

    def state(self) -> dict[str, Any]:
        return {"classes": {name: list(known) for name, known in self.classes.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        classes = state.get("classes")
        if not isinstance(classes, dict) or set(classes) != set(self.config.attributes):
            raise WeftError(f"classes are {classes!r:.60}, expected those of each attribute")
        self.classes = {name: tuple(map(str, known)) for name, known in classes.items()}


def _objects(raw: Any, column: str) -> list[dict[str, Any]]:
    if not isinstance(raw, list) or not all(isinstance(thing, dict) for thing in raw):
        raise WeftError(f"'{column}' is {raw!r:.60}, expected a list of objects")
    return raw


def _value(thing: Mapping[str, Any], name: str) -> str:
    if name not in thing:
        raise WeftError(f"an object has no '{name}', it has: {', '.join(thing)}")
    return class_name(thing[name], name)


def _frame(thing: Mapping[str, Any], frames: int) -> int:
    """Returns the frame of the object."""
    number = thing.get("frame", 0)
    if not isinstance(number, int) or not 0 <= number < frames:
        raise WeftError(f"an object's frame is {number!r:.60}, expected 0 to {frames - 1}")
    return number


def _centre(thing: Mapping[str, Any]) -> tuple[float, float]:
    box = thing.get("box")
    if not isinstance(box, list | tuple) or len(box) != 4:
        raise WeftError(f"an object's box is {box!r:.60}, expected x0, y0, x1, y1")
    x0, y0, x1, y1 = map(float, box)
    if not (x0 < x1 and y0 < y1 and 0 <= x0 + x1 <= 2 and 0 <= y0 + y1 <= 2):
        raise WeftError(
            f"an object's box is {box}, expected x0 < x1 and y0 < y1, its centre in [0, 1]"
        )
    return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True)
class CellsConfig(Config[Target]):
    """Objects of a picture, assigned to the cells of a grid."""

    column: str = "objects"
    """The column with the list of objects."""
    cells: int = 8
    """Cells along each side: as many as in the encoder's grid."""
    attributes: tuple[str, ...] = ("shape", "color", "size")
    """The attributes to predict for each object."""
    frames: int = 1
    """Number of frames of a video, whose objects give their frame."""

    def __post_init__(self) -> None:
        if min(self.cells, self.frames) < 1 or not self.attributes:
            raise ValueError(
                f"cells is {self.cells}, frames {self.frames} and attributes {self.attributes}, expected at least 1 "
                "of each"
            )

    def build(self) -> Cells:
        return Cells(self)
