"""How values are displayed to a person: pictures, recordings and words, with weights if an explanation gives any."""

from dataclasses import dataclass

import numpy as np

from weft.core.media import Media


@dataclass(frozen=True)
class Picture:
    """pixels: (H, W, 3) uint8, or a Media that holds a picture. weights: one per cell, (rows, columns) in [0, 1]."""

    pixels: np.ndarray | Media
    weights: np.ndarray | None = None


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
                rows, columns = picture.weights.shape
                row, column = divmod(int(picture.weights.argmax()), columns)
                which = f"picture {number}, " if len(self.pictures) > 1 else ""
                name = f"{which}row {row + 1} of {rows}, column {column + 1} of {columns}"
                found.append((name, float(picture.weights.max())))
        words = [(word.text, word.weight) for word in self.words if word.weight is not None]
        return found + sorted(words, key=lambda pair: -pair[1])[:k]
