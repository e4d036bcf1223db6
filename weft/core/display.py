"""How values are displayed to a person: pictures, recordings and words, with weights if an explanation gives any."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weft.core.language import say, with_commas
from weft.core.media import Media


@dataclass(frozen=True)
class Axis:
    """What a picture shows from left to right, or from top to bottom: the values at the edges of its cells, and their
    unit."""

    edges: Sequence[float]
    unit: str
    digits: int = 0

    def span(self, first: int = 0, last: int = -1) -> str:
        """Formats the values from one edge to another: "20–804 Hz"."""
        low, high = sorted((self.edges[first], self.edges[last]))
        return f"{low:.{self.digits}f}–{high:.{self.digits}f} {self.unit}"


@dataclass(frozen=True)
class Picture:
    """pixels: (H, W, 3) uint8, or a Media that holds a picture. weights: one per cell, (rows, columns) in [0, 1].

    name: which of several pictures it is. columns, rows: the axes, such as times and frequencies, if they are known.
    """

    pixels: np.ndarray | Media
    weights: np.ndarray | None = None
    name: str = ""
    columns: Axis | None = None
    rows: Axis | None = None

    @property
    def strongest(self) -> str:
        """The cell with the largest weight, in the reader's language: its place on the axes, or row and column. Empty
        without weights."""
        if self.weights is None:
            return ""
        rows, columns = self.weights.shape
        row, column = divmod(int(self.weights.argmax()), columns)
        axes = ((self.columns, column), (self.rows, row))
        spans = [axis.span(place, place + 1) for axis, place in axes if axis is not None]
        return with_commas(spans) or say(
            f"row {row + 1} of {rows}, column {column + 1} of {columns}"
        )


@dataclass(frozen=True)
class Recording:
    """A sound or a video that can be played. weights: one per part, in order of time, (parts,) in [0, 1]."""

    media: Media
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Word:
    """A piece of text, and its weight in [0, 1]."""

    text: str
    weight: float | None = None


@dataclass(frozen=True)
class Display:
    """Pictures, words and recordings that represent one value. A report can display all of them."""

    pictures: tuple[Picture, ...] = ()
    words: tuple[Word, ...] = ()
    recordings: tuple[Recording, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether it contains pictures or recordings, not only words."""
        return bool(self.pictures or self.recordings)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    def strongest(self, k: int) -> list[tuple[str, float]]:
        """The cell with the largest weight in each picture, and the k words with the largest weights: (name,
        weight). Names of cells are in the reader's language.
        """
        found: list[tuple[str, float]] = []
        for picture in self.pictures:
            if picture.weights is not None:
                name = with_commas(filter(None, (picture.name, picture.strongest)))
                found.append((name, float(picture.weights.max())))
        words = [(word.text, word.weight) for word in self.words if word.weight is not None]
        return found + sorted(words, key=lambda pair: -pair[1])[:k]
