"""Symbolic pictures in the manner of NLVR: three grey boxes with scattered items, or with one tower each.

Modelled on the generator of Suhr et al. 2017 (A Corpus of Natural Language for Visual Reasoning, ACL,
section 2). Places are uniform, and items that stick out are moved back into the box. So items often touch
its right wall and its floor, and rarely the others.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from weft.worlds.scenes.world import Draws

Kind = Literal["scatter", "tower"]
COLORS = ("yellow", "black", "blue")
SHAPES = ("circle", "square", "triangle")
SIZES = {"small": 10, "medium": 20, "big": 30}
SIDE, GAP, BOXES = 100, 50, 3
"""Side of a box and width of the gap between two boxes, in pixels; number of boxes of a picture."""
BLOCK, TOWER_LEFT, TOWER_STEP = 20, 40, 21
MOST_ITEMS, MOST_BLOCKS = 7, 4
_TRIES = 40


class Item(NamedTuple):
    """One item of a box. x, y: left and top of its bounding square; side: of that square; all in pixels."""

    color: str
    shape: str
    side: int
    x: int
    y: int

    @property
    def walls(self) -> tuple[bool, bool, bool, bool]:
        """Whether it touches the left and right wall, the roof and the floor."""
        end = SIDE - self.side
        return self.x <= 0, self.x >= end, self.y <= 0, self.y >= end


Box = tuple[Item, ...]
"""The items of a box; for a tower its blocks, from the base up."""


class Picture(NamedTuple):
    """Three boxes of one kind."""

    kind: Kind
    boxes: tuple[Box, ...]

    def items(self) -> Iterator[tuple[Item, Box]]:
        """Every item with its box."""
        for box in self.boxes:
            for item in box:
                yield item, box


def distance(a: Item, b: Item) -> int:
    """Pixels between the bounding squares; negative if they overlap."""
    return max(a.x - b.x - b.side, b.x - a.x - a.side, a.y - b.y - b.side, b.y - a.y - a.side)


def sample_picture(draws: Draws, kind: Kind) -> Picture:
    return Picture(kind, tuple(sample_box(draws, kind) for _ in range(BOXES)))


def sample_box(draws: Draws, kind: Kind) -> Box:
    """Samples a box from the unconditional distribution."""
    if kind == "tower":
        return tower([draws.pick(COLORS) for _ in range(1 + draws.below(MOST_BLOCKS))])
    box: Box = ()
    for _ in range(1 + draws.below(MOST_ITEMS)):
        box = with_item(draws, box, sample_item(draws))
    return box


def sample_item(draws: Draws) -> Item:
    """Samples an item without a place (at 0, 0)."""
    return Item(draws.pick(COLORS), draws.pick(SHAPES), draws.pick(_SIDES), 0, 0)


_SIDES = tuple(SIZES.values())


def tower(colors: list[str]) -> Box:
    """Blocks of these colours, from the base up."""
    floor = SIDE - BLOCK
    return tuple(
        Item(color, "square", BLOCK, TOWER_LEFT, floor - TOWER_STEP * level)
        for level, color in enumerate(colors)
    )


def with_item(draws: Draws, box: Box, item: Item) -> Box:
    """The box with the item at a free place; unchanged if none was found."""
    end = SIDE - item.side
    for _ in range(_TRIES):
        x, y = min(draws.below(SIDE), end), min(draws.below(SIDE), end)
        if _is_free(x, y, item.side, box):
            return (*box, Item(item.color, item.shape, item.side, x, y))
    return box


def _is_free(x: int, y: int, side: int, box: Box) -> bool:
    """Whether a square there is at least one pixel away from every item of the box. Faster than `distance`."""
    for other in box:
        x1, y1, end = other.x, other.y, other.side
        if x <= x1 + end and x1 <= x + side and y <= y1 + end and y1 <= y + side:
            return False
    return True


def edited(draws: Draws, picture: Picture) -> Picture:
    """The picture after one small random change, or with its items redistributed over the boxes."""
    boxes = list(picture.boxes)
    if draws.unit() < 0.08:
        return dealt_out(draws, picture)
    which = draws.below(BOXES)
    if picture.kind == "tower":
        boxes[which] = _edited_tower(draws, [item.color for item in boxes[which]])
    else:
        boxes[which] = _edited_box(draws, boxes[which])
    return Picture(picture.kind, tuple(boxes))


def dealt_out(draws: Draws, picture: Picture) -> Picture:
    """The same items, redistributed at random over boxes and places. The number of items in each box stays the same."""
    pool = draws.sample([item for item, _ in picture.items()], MOST_ITEMS * BOXES)
    boxes: list[Box] = []
    for size in (len(box) for box in picture.boxes):
        mine, pool = pool[:size], pool[size:]
        if picture.kind == "tower":
            boxes.append(tower([item.color for item in mine]))
            continue
        box: Box = ()
        for item in mine:
            box = with_item(draws, box, item)
        boxes.append(box)
    return Picture(picture.kind, tuple(boxes))


def _edited_tower(draws: Draws, colors: list[str]) -> Box:
    action, place = draws.below(4), draws.below(len(colors))
    if action == 0 and len(colors) < MOST_BLOCKS:
        colors.insert(draws.below(len(colors) + 1), draws.pick(COLORS))
    elif action == 1 and len(colors) > 1:
        del colors[place]
    elif action == 2:
        colors = draws.sample(colors, len(colors))
    else:
        colors[place] = draws.pick([c for c in COLORS if c != colors[place]])
    return tower(colors)


def _edited_box(draws: Draws, box: Box) -> Box:
    action, place = draws.below(6), draws.below(len(box))
    item, rest = box[place], box[:place] + box[place + 1 :]
    if action == 0 and len(box) < MOST_ITEMS:
        return with_item(draws, box, sample_item(draws))
    if action == 1 and rest:
        return rest
    if action == 2:
        changed = item._replace(shape=draws.pick([s for s in SHAPES if s != item.shape]))
        return (*rest, changed)
    if action == 3:
        return with_item(draws, rest, item) if rest else with_item(draws, (), item)
    if action == 4:
        resized = item._replace(side=draws.pick([s for s in _SIDES if s != item.side]))
        return with_item(draws, rest, resized) or box
    return (*rest, item._replace(color=draws.pick([c for c in COLORS if c != item.color])))
