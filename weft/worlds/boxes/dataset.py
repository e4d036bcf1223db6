"""Sentences about drawn boxes as a data set: each with one picture of which it is true, one of which not.

Whoever looks at the sentence alone, or at the picture alone, is right half of the time: the two pictures
of a sentence differ by a few changes of single items, or by how the same items are dealt out.
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
"""A box has so many cells along each side, each of which holds the centre of one item at most."""
KINDS = len(COLORS) * len(SHAPES) * len(SIZES) * 9
"""Kinds of items: by colour, shape, size and the walls that they touch."""
MOST = 7
"""Counts above this are one class."""
_EDITS = 24
_TOWERS = 0.47


class Pair(NamedTuple):
    """One sentence, a picture of which it is true, and one of which it is false."""

    statement: Statement
    pictures: tuple[Picture, Picture]


def sample_pair(draws: Draws) -> Pair:
    """A sentence and its two pictures."""
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
    """A picture like `picture` of which the sentence is `wanted`, or None where none was found.

    A walk by random changes that never leads further away from the wanted count.
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
    """One picture of a sentence: its kind and items, and what of it the sentence is about."""

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
    """Six bytes an item: box, colour, shape, side, x, y."""
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
    """A sequence of samples, each drawn when it is asked for; two rows a sentence.

    Items: image: uint8 (100, 400, 3), drawn when it is asked for. text: the sentence. label: true or false. count: how many items
    or boxes the sentence is about, at most MOST. cells: int64 (3 * 13 * 13,), what each cell of each
    box holds the centre of, 0 for nothing. split. The group is the sentence.
    """

    def __init__(self, split: str, rows: int, seed: int) -> None:
        super().__init__(split, rows, seed)
        self.split = split
        self.rows = rows
        self.seed = seed
        # Finding a sentence and its pictures takes 20 times as long as drawing them, and both rows of a
        # sentence, and every epoch, need it: half a kilobyte of each is kept.
        self._kept: dict[int, tuple[str, tuple[_Seen, _Seen]]] = {}

    def __len__(self) -> int:
        return self.rows

    def pair(self, sentence: int) -> Pair:
        """The sentence of that number with its pictures."""
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
    """What each cell holds the centre of, and whether it is meant, both (boxes * GRID * GRID,) int64.

    0 for nothing, else 1 + the kind; -1 for nothing, else 0 or 1. meant: of the items in order.
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
    """Two convolutions of stride 2 on pixels of twice the size look from 1, 9, 17, ... outwards."""
    return (center + 3) // 8


_KIND = {
    kind: number
    for number, kind in enumerate((c, s, z) for c in COLORS for s in SHAPES for z in SIZES.values())
}


@dataclass(frozen=True)
class DrawnBoxesConfig(DrawnSource):
    """Sentences about drawn boxes of NLVR's kind, drawn as they are asked for."""

    splits = SPLITS
    least = 2

    train: int = 400_000
    """Rows to train on, two a sentence."""
    validation: int = 2000
    test: int = 2000
    seed: int = 0
    """Another seed is another world."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}, expected 0 or more")

    @property
    def words(self) -> str:
        return "drawn boxes"

    def rows_of(self, split: str, count: int) -> Dataset:
        return DrawnBoxes(split, count, self.seed)
