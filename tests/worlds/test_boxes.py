"""Drawn boxes: what is said is true of the one picture and false of the other, and how they look."""

import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weft.core.errors import WeftError
from weft.data.formats import open_dataset
from weft.modalities.image_sequence import ImageSequenceConfig
from weft.worlds.boxes import BOXES, GRID, KINDS, MOST, DrawnBoxesConfig
from weft.worlds.boxes.dataset import cells
from weft.worlds.boxes.drawing import draw
from weft.worlds.boxes.statements import statement
from weft.worlds.boxes.words import Amount
from weft.worlds.boxes.world import (
    SIDE,
    Item,
    Picture,
    distance,
    edited,
    sample_picture,
    tower,
)
from weft.worlds.scenes.world import Draws

PAIRS = 250


def test_every_sentence_is_true_of_one_picture_and_false_of_the_other() -> None:
    boxes = DrawnBoxesConfig().open("train")
    kinds: Counter[str] = Counter()
    for number in range(PAIRS):
        made, (true, false) = boxes.pair(number)  # type: ignore[attr-defined]
        assert made.truth(true) is True, made.text
        assert made.truth(false) is False, made.text
        assert true.kind == false.kind
        kinds[true.kind] += 1
        row = boxes[2 * number]
        assert (row.items["text"], row.items["label"]) == (made.text, True)
        assert boxes[2 * number + 1].items["label"] is False
        assert row.group == boxes[2 * number + 1].group
        assert np.array_equal(row.items["image"].array(), draw(true))
    assert min(kinds.values()) > PAIRS / 3


def test_no_two_items_overlap_and_all_stay_inside_after_any_edit() -> None:
    draws = Draws(3)
    for kind in ("scatter", "tower"):
        picture = sample_picture(draws, kind)  # type: ignore[arg-type]
        for _ in range(200):
            picture = edited(draws, picture)
            for box in picture.boxes:
                assert box
                for place, item in enumerate(box):
                    assert min(item.x, item.y) >= 0
                    assert max(item.x, item.y) + item.side <= SIDE
                    assert all(distance(item, other) >= 1 for other in box[:place])


def test_truth_by_hand() -> None:
    towers = Picture("tower", (tower(["blue", "black"]), tower(["blue"]), tower(["black", "blue"])))
    seen: dict[str, set[bool | None]] = {}
    for number in range(4000):
        made = statement(Draws(9, number), towers)
        seen.setdefault(made.text.lower().rstrip("."), set()).add(made.truth(towers))
    expected = {
        "there is a tower with a blue block at the base": True,
        "there are two towers with a blue block at the base": True,
        "there is exactly one tower with a blue block at the base": False,
        "there is a black block on a blue block": True,
        "there is a yellow tower": False,
        "there is a blue tower": True,
        "there is a black tower": False,
    }
    asked = {text: seen[text] for text in expected if text in seen}
    assert len(asked) >= 5
    assert asked == {text: {expected[text]} for text in asked}


def test_more_than_said_is_neither_true_nor_false_without_exactly() -> None:
    bare, exact = Amount("two", 2, 2, True, bare=True), Amount("exactly two", 2, 2, True)
    assert [bare.fits(3, generous) for generous in (False, True)] == [False, True]
    assert [exact.fits(3, generous) for generous in (False, True)] == [False, False]
    assert (exact.gap(5, True), exact.gap(2, False), exact.gap(5, False)) == (3, 1, 0)


def test_cells_say_what_is_where() -> None:
    corner = Item("black", "circle", 10, SIDE - 10, SIDE - 10)
    picture = Picture("scatter", ((), (corner,), ()))
    kinds, marks = cells(picture, [1])
    grid = kinds.reshape(BOXES, GRID, GRID)
    assert grid[1, GRID - 1, GRID - 1] > 0
    assert (grid > 0).sum() == 1 == (marks == 1).sum()
    assert kinds.max() <= KINDS
    for number in range(50):
        drawn = sample_picture(Draws(1, number), "scatter")
        items = list(drawn.items())
        assert (cells(drawn, [0] * len(items))[0] > 0).sum() == len(items)


def test_same_seed_same_rows_and_splits_differ() -> None:
    config = DrawnBoxesConfig(train=8, validation=8)
    first, again = config.open("train"), pickle.loads(pickle.dumps(config.open("train")))
    assert len(first) == 8
    assert [s.items["text"] for s in first] == [s.items["text"] for s in again]
    other = config.open("dev")
    assert [s.items["text"] for s in first] != [s.items["text"] for s in other]
    sample = first[3]
    assert sample.items["count"] <= MOST
    assert sample.items["counts"].shape == (BOXES,)
    with pytest.raises(WeftError, match="unknown split"):
        config.open("nowhere")
    with pytest.raises(WeftError, match="no fixed number of rows"):
        config.open(None)
    with pytest.raises(ValueError, match="train is 1"):
        DrawnBoxesConfig(train=1)


def test_drawn_like_the_real_pictures(shared_data: Callable[[str], Path]) -> None:
    """Real pictures have the colours of drawn ones, but for pixels at the edges of items."""
    real = open_dataset(shared_data("nlvr"), split="train")
    modality = ImageSequenceConfig(shrink=1).build()
    palette = {(211, 211, 211), (255, 255, 0), (0, 153, 255), (0, 0, 0)}
    shares = []
    for row in range(0, 60, 3):
        panels = modality.decode(real[row].items["image"])
        assert panels.shape == (BOXES, 3, SIDE, SIDE)
        pixels = panels.permute(0, 2, 3, 1).reshape(-1, 3).tolist()
        shares.append(sum(tuple(p) in palette for p in pixels) / len(pixels))
    assert min(shares) > 0.97
