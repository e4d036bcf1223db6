"""Sentences that count items: anywhere, or at a given place."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from weft.worlds.boxes.words import (
    MANY,
    SOME,
    Amount,
    amount,
    any_item,
    description,
    place_of,
    weighed,
)
from weft.worlds.boxes.world import BOXES, COLORS, Box, Item, Picture
from weft.worlds.scenes.world import Draws

_MOST = 7


class Statement(NamedTuple):
    """A sentence that is true if the count fits the amount. counted(picture, generous): counts; see `Amount.bare`."""

    text: str
    amount: Amount
    counted: Callable[[Picture, bool], int]

    def truth(self, picture: Picture) -> bool | None:
        """Whether the sentence is true; None if people may disagree: there are three black items and it says "two"."""
        strict = self.amount.fits(self.counted(picture, False), False)
        generous = self.amount.fits(self.counted(picture, True), True)
        return strict if strict == generous else None

    def gap(self, picture: Picture, wanted: bool) -> int:
        """Distance of the count to the nearest one for which the sentence is true (wanted) or false (not wanted)."""
        return self.amount.gap(self.counted(picture, False), wanted)


ItemTest = Callable[[Item, Box], bool]


def _counting(test: ItemTest) -> Callable[[Picture, bool], int]:
    return lambda picture, _: sum(test(item, box) for item, box in picture.items())


def _an_item(draws: Draws, picture: Picture) -> tuple[Item, Box]:
    """Samples an item and a box: mostly an item of the picture, now and then another."""
    pairs = list(picture.items())
    item, box = draws.pick(pairs)
    return (item, box) if draws.unit() < 0.85 else (any_item(draws), box)


def of_items(draws: Draws, picture: Picture) -> Statement:
    """Such as "there are exactly two black circles"."""
    item, _ = _an_item(draws, picture)
    what = description(draws, picture.kind, item)
    count = _counting(lambda i, _: what.fits(i))
    said = amount(draws, count(picture, False), _MOST)
    text = f"there {said.verb} {what.with_amount(said)}"
    if said.low > 0 and draws.unit() < 0.1 and said.words != "a":
        text += draws.pick((" in the boxes", " in total", ""))
    return Statement(text, said, count)


def of_placed_items(draws: Draws, picture: Picture) -> Statement:
    """Such as "there is exactly one black circle touching the base"."""
    item, _ = _an_item(draws, picture)
    what, where = description(draws, picture.kind, item), place_of(draws, item)
    count = _counting(lambda i, _: what.fits(i) and where.fits(i))
    said, words = amount(draws, count(picture, False), _MOST), draws.pick(where.words)
    named = what.with_amount(said)
    if said.low == 0 == said.high and draws.unit() < 0.4:
        return Statement(f"none of the {what.words(True)} are {words}", said, count)
    forms = [f"there {said.verb} {named} {words}"] * 4 + [f"{named} {said.verb} {words}"]
    if said is SOME:
        forms.append(f"the {what.words(False)} is {words}")
    return Statement(draws.pick(forms), said, count)


def of_all_items(draws: Draws, picture: Picture) -> Statement:
    """Such as "all black items are touching the wall": there is at least one, and none is elsewhere."""
    item, _ = _an_item(draws, picture)
    what, where = description(draws, picture.kind, item), place_of(draws, item)

    def count(picture: Picture, _: bool) -> int:
        fitting = [where.fits(i) for i, _ in picture.items() if what.fits(i)]
        return int(bool(fitting) and all(fitting))

    head = draws.pick(("all the", "all", "all of the"))
    return Statement(f"{head} {what.words(True)} are {draws.pick(where.words)}", SOME, count)


def of_ends(draws: Draws, picture: Picture) -> Statement:
    """Such as "there are exactly two blue blocks as the base of a tower with at least two blocks"."""
    box = draws.pick(picture.boxes)
    top = draws.unit() < 0.45
    color = box[-1 if top else 0].color if draws.unit() < 0.85 else draws.pick(COLORS)
    size, tail = SOME, ""
    if draws.unit() < 0.45:
        size = amount(draws, len(box), 4)
        if size.words not in ("a", "no"):
            tail = f" with {size.words} block{'s' if size.plural else ''}"
        else:
            size = SOME

    def count(picture: Picture, generous: bool) -> int:
        return sum(
            b[-1 if top else 0].color == color and size.fits(len(b), generous)
            for b in picture.boxes
        )

    said = amount(draws, count(picture, False), BOXES)
    end = "top" if top else "base"
    said_of = f"{said.words} {color} block{'s' if said.plural else ''}"
    return Statement(f"there {said.verb} {said_of} as the {end} of a tower{tail}", said, count)


def of_end_of_towers(draws: Draws, picture: Picture) -> Statement:
    """Such as "there is a blue block as the base of exactly one tower"."""
    box = draws.pick(picture.boxes)
    top = draws.unit() < 0.4
    color = box[-1 if top else 0].color

    def count(picture: Picture, _: bool) -> int:
        return sum(b[-1 if top else 0].color == color for b in picture.boxes)

    said = amount(draws, count(picture, False), BOXES)
    if said.low == 0:
        return of_ends(draws, picture)
    end = draws.pick(("top",)) if top else "base"
    tower = "towers" if said.plural else "tower"
    return Statement(f"there is a {color} block as the {end} of {said.words} {tower}", said, count)


def of_block_on_block(draws: Draws, picture: Picture) -> Statement:
    """Such as "there is a black block on a blue block"."""
    box = draws.pick([b for b in picture.boxes if len(b) > 1] or picture.boxes)
    place = draws.below(max(len(box) - 1, 1))
    low, high = box[place].color, box[min(place + 1, len(box) - 1)].color
    if draws.unit() < 0.2:
        low, high = draws.pick(COLORS), draws.pick(COLORS)
    said = weighed(
        draws,
        (
            (6, SOME),
            (2, Amount("no", 0, 0, False)),
            (2, Amount("at least one", 1, MANY, False)),
            (1.5, Amount("exactly one", 1, 1, False)),
        ),
    )

    def count(picture: Picture, _: bool) -> int:
        return sum(
            b.color == high and a.color == low for box in picture.boxes for a, b in pairwise(box)
        )

    above = weighed(draws, ((4, "on"), (3, "above"), (1, "over"), (1, "on top of")))
    article = draws.pick(("a", "a", "a", "the"))
    text = f"there is {said.words} {high} block {above} {article} {low} block"
    if draws.unit() < 0.15:
        below = draws.pick(("below", "bellow", "beneath"))
        text = f"there is {said.words} {low} block {below} {article} {high} block"
    return Statement(text, said, count)
