"""Sentences about generated boxes as a data set, each with a picture where it is true and one where it is false.

The sentence alone, or the picture alone, predicts the label with an accuracy of 50 %. The two pictures of a
sentence differ in a few changes of single items, or in the distribution of the same items over the boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.worlds.boxes.drawing import draw
from weft.worlds.boxes.item_statements import Statement
from weft.worlds.boxes.statements import statement
from weft.worlds.boxes.world import (
    BOXES,
    COLORS,
    SHAPES,
    SIZES,
    Item,
    Kind,
    Picture,
    edited,
    sample_picture,
)
from weft.worlds.drawn import DrawnRows, DrawnSource
from weft.worlds.scenes.world import Draws

SPLITS = ("train", "validation", "test")
GRID = 13
"""Cells along each side of a box. A cell holds the centre of at most one item."""
KINDS = len(COLORS) * len(SHAPES) * len(SIZES) * 9
"""Kinds of items: by colour, shape, size and the walls that they touch."""
MOST = 7
"""Counts above this are one class."""
_EDITS = 24
_TOWERS = 0.47


class Pair(NamedTuple):
    """One sentence; its pictures: one for which it is true, one for which it is false."""

    statement: Statement
    pictures: tuple[Picture, Picture]


def sample_pair(draws: Draws) -> Pair:
    """Samples a sentence and its two pictures."""
    while True:
        picture = sample_picture(draws, "tower" if draws.unit() < _TOWERS else "scatter")
        made = statement(draws, picture)
        truth = made.truth(picture)
        if truth is None:
            continue
        other = _changed(draws, made, picture, not truth)
        if other is not None:
            return Pair(made, (picture, other) if truth else (other, picture))


def _changed(draws: Draws, made: Statement, picture: Picture, wanted: bool) -> Picture | None:
    """A picture similar to `picture` for which the truth of the sentence is `wanted`; None if none was found.

    A random walk of small changes that never moves away from the wanted count.
    """
    gap = made.gap(picture, wanted)
    for _ in range(_EDITS):
        candidate = edited(draws, picture)
        if made.truth(candidate) == wanted:
            return candidate
        found = made.gap(candidate, wanted)
        if found <= gap:
            picture, gap = candidate, found
    return None


class _Seen(NamedTuple):
    """One picture of a sentence: its kind and items, and which of them the sentence counts."""

    kind: Kind
    items: bytes
    counts: bytes
    meant: bytes

    @classmethod
    def of(cls, made: Statement, picture: Picture) -> "_Seen":
        counts = [made.counted(picture, False)]
        counts += [made.counted(Picture(picture.kind, (box,)), False) for box in picture.boxes]
        alone = (Picture(picture.kind, ((item,),)) for item, _ in picture.items())
        return cls(
            picture.kind,
            _packed(picture),
            bytes(min(count, MOST) for count in counts),
            bytes(made.counted(picture, True) > 0 for picture in alone),
        )


def _packed(picture: Picture) -> bytes:
    """Six bytes for each item: box, colour, shape, side, x, y."""
    return bytes(
        number
        for place, box in enumerate(picture.boxes)
        for item in box
        for number in (
            *(place, COLORS.index(item.color), SHAPES.index(item.shape)),
            *(item.side, item.x, item.y),
        )
    )


def _unpacked(kind: Kind, packed: bytes) -> Picture:
    boxes: list[list[Item]] = [[] for _ in range(BOXES)]
    for at in range(0, len(packed), 6):
        place, color, shape, side, x, y = packed[at : at + 6]
        boxes[place].append(Item(COLORS[color], SHAPES[shape], side, x, y))
    return Picture(kind, tuple(map(tuple, boxes)))


class DrawnBoxes(DrawnRows):
    """A sequence of samples that are generated on access; two rows for each sentence, which is their group.

    Items: image: uint8 (100, 400, 3), drawn on access. text: the sentence. label: true or false. count: number
    of items or boxes that the sentence counts in the picture, at most MOST. counts: the same for each box. cells
    and meant: int64 (3 * 13 * 13,), see `cells`. split.
    """

    def __init__(self, split: str, rows: int, seed: int) -> None:
        super().__init__(split, rows, seed)
        self.split = split
        self.rows = rows
        self.seed = seed
        # Finding a sentence and its pictures takes 20 times as long as drawing them. Both rows of a sentence
        # need it in every epoch, so it is cached: half a kilobyte for each sentence.
        self._kept: dict[int, tuple[str, tuple[_Seen, _Seen]]] = {}

    def __len__(self) -> int:
        return self.rows

    def pair(self, sentence: int) -> Pair:
        """Generates the sentence of that number with its pictures."""
        return sample_pair(Draws(self.seed, SPLITS.index(self.split), sentence))

    def _draw_row(self, index: int) -> Sample:
        number, truth = index // 2, index % 2 == 0
        kept = self._kept.get(number)
        if kept is None:
            made, (true, false) = self.pair(number)
            kept = made.text, (_Seen.of(made, true), _Seen.of(made, false))
            self._kept[number] = kept
        text, both = kept
        seen = both[0 if truth else 1]
        picture = _unpacked(seen.kind, seen.items)
        kinds, meant = cells(picture, seen.meant)
        items = {
            "image": Media.array_of(lambda: draw(picture), "image"),
            "text": text,
            "label": truth,
            "count": seen.counts[0],
            "counts": np.frombuffer(seen.counts, np.uint8)[1:].astype(np.int64),
            "cells": kinds,
            "meant": meant,
            "split": self.split,
        }
        name = f"{self.split}-{number:07d}"
        return Sample(f"{name}-{str(truth).lower()}", name, items, f"boxes:{self.split}/{index}")


def cells(picture: Picture, meant: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of cells, int64 (boxes * GRID * GRID,): kinds of the items, and whether the sentence counts them.

    A cell contains the item whose centre it holds. Kinds: 0 for an empty cell, otherwise 1 + the kind. Counted: -1
    for an empty cell, otherwise 0 or 1. meant: 0 or 1 for each item of the picture, in order.
    """
    kinds = np.zeros((BOXES, GRID, GRID), np.int64)
    marks = np.full((BOXES, GRID, GRID), -1, np.int64)
    told = iter(meant)
    for place, box in enumerate(picture.boxes):
        for item in box:
            row, column = _cell(item.y + item.side // 2), _cell(item.x + item.side // 2)
            left, right, roof, floor = item.walls
            walls = 3 * (left + 2 * right) + roof + 2 * floor
            kinds[place, row, column] = 1 + 9 * _KIND[item.color, item.shape, item.side] + walls
            marks[place, row, column] = next(told)
    return kinds.reshape(-1), marks.reshape(-1)


def _cell(center: int) -> int:
    """The cells match two convolutions of stride 2 on pixels of twice the size, with centres at 1, 9, 17, ..."""
    return (center + 3) // 8


_KIND = {
    kind: number
    for number, kind in enumerate((c, s, z) for c in COLORS for s in SHAPES for z in SIZES.values())
}


@dataclass(frozen=True)
class DrawnBoxesConfig(DrawnSource):
    """Sentences about boxes in the manner of NLVR, generated on access."""

    splits = SPLITS
    least = 2

    train: int = 400_000
    """Training rows, two for each sentence."""
    validation: int = 2000
    test: int = 2000
    seed: int = 0
    """Another seed generates another world."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}, expected 0 or more")

    @property
    def words(self) -> str:
        return "drawn boxes"

    def rows_of(self, split: str, count: int) -> Dataset:
        return DrawnBoxes(split, count, self.seed)
