"""How values are displayed to a person: pictures, recordings and words, with weights if an explanation gives any."""

from dataclasses import dataclass

import numpy as np

from weft.core.media import Media


@dataclass(frozen=True)
class Picture:
    """pixels: (H, W, 3) uint8, or a Media that holds a picture. weights: one per cell, (rows, columns) in [0, 1].

    row_names, column_names: what rows and columns mean to a person, such as frequencies and times; numbers if empty.
    """

    pixels: np.ndarray | Media
    weights: np.ndarray | None = None
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()

    def cell(self, row: int, column: int) -> str:
        """Returns the name of a cell of the weights."""
        if self.row_names or self.column_names:
            places = ((self.column_names, column), (self.row_names, row))
            return ", ".join(names[place] for names, place in places if names)
        rows, columns = (0, 0) if self.weights is None else self.weights.shape
        return f"row {row + 1} of {rows}, column {column + 1} of {columns}"


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
        weight).
        """
        found: list[tuple[str, float]] = []
        for number, picture in enumerate(self.pictures, 1):
            if picture.weights is not None:
                row, column = divmod(int(picture.weights.argmax()), picture.weights.shape[1])
                which = f"picture {number}, " if len(self.pictures) > 1 else ""
                name = f"{which}{picture.cell(row, column)}"
                found.append((name, float(picture.weights.max())))
        words = [(word.text, word.weight) for word in self.words if word.weight is not None]
        return found + sorted(words, key=lambda pair: -pair[1])[:k]
