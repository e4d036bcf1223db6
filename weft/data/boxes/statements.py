"""Sentences about a picture, each with what it counts and the amount that makes it true."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from weft.data.boxes.facts import fact, facts
from weft.data.boxes.words import (
    MANY,
    SOME,
    Amount,
    amount,
    any_item,
    description,
    number,
    place_of,
    weighed,
)
from weft.data.boxes.world import BOXES, COLORS, Box, Item, Kind, Picture, sample_box
from weft.data.scenes.world import Draws

_MOST = 7


class Statement(NamedTuple):
    """True where the count fits the amount. counted(picture, generous): see `Amount.bare`."""

    text: str
    amount: Amount
    counted: Callable[[Picture, bool], int]

    def truth(self, picture: Picture) -> bool | None:
        """None where people may disagree: three black items, and the sentence says "two"."""
        strict = self.amount.fits(self.counted(picture, False), False)
        generous = self.amount.fits(self.counted(picture, True), True)
        return strict if strict == generous else None

    def gap(self, picture: Picture, wanted: bool) -> int:
        """How far the count is from one that would make the sentence true, or false."""
        return self.amount.gap(self.counted(picture, False), wanted)


def statement(draws: Draws, picture: Picture) -> Statement:
    """Something that is often true of the picture."""
    made = weighed(draws, _TOWER if picture.kind == "tower" else _SCATTER)(draws, picture)
    return made._replace(text=_written(draws, made.text))


ItemTest = Callable[[Item, Box], bool]


def _counting(test: ItemTest) -> Callable[[Picture, bool], int]:
    return lambda picture, _: sum(test(item, box) for item, box in picture.items())


def _an_item(draws: Draws, picture: Picture) -> tuple[Item, Box]:
    """One of the picture's, or now and then another."""
    pairs = list(picture.items())
    item, box = draws.pick(pairs)
    return (item, box) if draws.unit() < 0.85 else (any_item(draws), box)


def _items(draws: Draws, picture: Picture) -> Statement:
    """There are exactly two black circles."""
    item, _ = _an_item(draws, picture)
    what = description(draws, picture.kind, item)
    count = _counting(lambda i, _: what.fits(i))
    said = amount(draws, count(picture, False), _MOST)
    text = f"there {said.verb} {what.with_amount(said)}"
    if said.low > 0 and draws.unit() < 0.1 and said.words != "a":
        text += draws.pick((" in the boxes", " in total", ""))
    return Statement(text, said, count)


def _placed_items(draws: Draws, picture: Picture) -> Statement:
    """There is exactly one black circle touching the base."""
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


def _all_items_placed(draws: Draws, picture: Picture) -> Statement:
    """All black items are touching the wall: none is elsewhere, and there is one."""
    item, _ = _an_item(draws, picture)
    what, where = description(draws, picture.kind, item), place_of(draws, item)

    def count(picture: Picture, _: bool) -> int:
        fitting = [where.fits(i) for i, _ in picture.items() if what.fits(i)]
        return int(bool(fitting) and all(fitting))

    head = draws.pick(("all the", "all", "all of the"))
    return Statement(f"{head} {what.words(True)} are {draws.pick(where.words)}", SOME, count)


def _blocks_at_end(draws: Draws, picture: Picture) -> Statement:
    """There are exactly two blue blocks as the base of a tower with at least two blocks."""
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


def _end_of_towers(draws: Draws, picture: Picture) -> Statement:
    """There is a blue block as the base of exactly one tower."""
    box = draws.pick(picture.boxes)
    top = draws.unit() < 0.4
    color = box[-1 if top else 0].color

    def count(picture: Picture, _: bool) -> int:
        return sum(b[-1 if top else 0].color == color for b in picture.boxes)

    said = amount(draws, count(picture, False), BOXES)
    if said.low == 0:
        return _blocks_at_end(draws, picture)
    end = draws.pick(("top",)) if top else "base"
    tower = "towers" if said.plural else "tower"
    return Statement(f"there is a {color} block as the {end} of {said.words} {tower}", said, count)


def _block_on_block(draws: Draws, picture: Picture) -> Statement:
    """There is a black block on a blue block."""
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
            b.color == high and a.color == low
            for box in picture.boxes
            for a, b in itertools.pairwise(box)
        )

    above = weighed(draws, ((4, "on"), (3, "above"), (1, "over"), (1, "on top of")))
    article = draws.pick(("a", "a", "a", "the"))
    text = f"there is {said.words} {high} block {above} {article} {low} block"
    if draws.unit() < 0.15:
        below = draws.pick(("below", "bellow", "beneath"))
        text = f"there is {said.words} {low} block {below} {article} {high} block"
    return Statement(text, said, count)


def _boxes(draws: Draws, picture: Picture) -> Statement:
    """There are exactly two boxes with at least one black circle, and all its other forms."""
    kind = picture.kind
    box = draws.pick(picture.boxes) if draws.unit() < 0.85 else sample_box(draws, kind)
    said_of = facts(draws, kind, box)

    def count(picture: Picture, generous: bool) -> int:
        return sum(said_of.holds(b, generous) for b in picture.boxes)

    said = _boxes_amount(draws, count(picture, False))
    return Statement(_boxes_text(draws, kind, said, said_of.words), said, count)


def _boxes_amount(draws: Draws, count: int) -> Amount:
    if draws.unit() < 0.5:
        return SOME
    if count == BOXES and draws.unit() < 0.6:
        return Amount("each", BOXES, BOXES, plural=False)
    return amount(draws, count, BOXES)


def _boxes_text(draws: Draws, kind: Kind, said: Amount, words: str) -> str:
    noun = (
        weighed(draws, ((5, "tower"), (1, "box")))
        if kind == "tower"
        else weighed(draws, ((8, "box"), (2, "grey box"), (1, "grey square")))
    )
    nouns = noun + ("es" if noun.endswith("x") else "s")
    has = draws.pick(("has", "has", "contains"))
    if said.words == "each":
        return draws.pick(
            (
                f"each {noun} has {words}",
                f"there is {words} in each {noun}",
                f"all the {nouns} have {words}",
                f"all {nouns} have {words}",
                f"every {noun} has {words}",
            )
        )
    one = said.words in ("a", "1", "one")
    if one and draws.unit() < 0.25:
        return draws.pick(
            (
                f"one of the {noun} {has} {words}",
                f"one {noun} {has} {words}",
                f"one of the {noun}s {has} {words}",
                f"the {noun} {has} {words}",
            )
        )
    if said.low > 0 and draws.unit() < 0.12:
        tail = f"{nouns if said.plural else noun} {'have' if said.plural and draws.unit() < 0.4 else has} {words}"
        return draws.pick((f"{said.words} {tail}", f"{said.words} of the three {tail}"))
    link = weighed(
        draws,
        (
            (8, "with"),
            (1, "that has"),
            (1, "which has"),
            (0.3, "having"),
            (0.3, "that contains"),
            (0.2, "containing"),
        ),
    )
    if said.plural and draws.unit() < 0.5:
        link = link.replace("has", "have")
    return f"there {said.verb} {said.words} {nouns if said.plural else noun} {link} {words}"


def _tower_named(draws: Draws, picture: Picture) -> Statement:
    """There is a blue tower with only one block; there is a two blocks tower."""
    box = draws.pick(picture.boxes)
    color = box[0].color if draws.unit() < 0.8 else draws.pick(COLORS)
    n = len(box)
    plain, of_size = draws.unit() < 0.4, draws.unit() < 0.4
    if plain:
        words, of_color = f"{number(draws, n)} blocks tower", False
    else:
        words, of_color = f"{color} tower", True
        if of_size:
            words += f" with {draws.pick(('', 'exactly ', 'only '))}{number(draws, n)} block{'s' if n > 1 else ''}"

    def count(picture: Picture, _: bool) -> int:
        return sum(
            (not of_color or all(i.color == color for i in b))
            and (not (plain or of_size) or len(b) == n)
            for b in picture.boxes
        )

    said = amount(draws, count(picture, False), BOXES)
    if said.plural or said.low == 0:
        said = SOME
    return Statement(f"there is {said.words} {words}", said, count)


def _sized_tower(draws: Draws, picture: Picture) -> Statement:
    """The tower with four blocks has a blue block at the top."""
    box = draws.pick(picture.boxes)
    n, said_of = len(box), fact(draws, "tower", box)
    blocks = f"{draws.pick(('', 'exactly '))}{number(draws, n)} block{'s' if n > 1 else ''}"
    head = draws.pick(
        (
            f"the tower with {blocks} has",
            f"one of the tower with {blocks} has",
            f"there is a tower with {blocks} having",
            f"there is a tower with {blocks} with",
        )
    )

    def count(picture: Picture, generous: bool) -> int:
        return sum(len(b) == n and said_of.holds(b, generous) for b in picture.boxes)

    return Statement(f"{head} {said_of.words}", SOME, count)


def _alike(draws: Draws, picture: Picture) -> Statement:
    """There are two towers with the same base colour; two boxes with the same number of items."""
    tower = picture.kind == "tower"
    noun = "towers" if tower else "boxes"
    keys: list[tuple[str, Callable[[Box], object]]] = [
        ("number of " + ("blocks" if tower else "items"), len)
    ]
    if tower:
        keys += [
            ("color at the base", lambda b: b[0].color),
            ("base color", lambda b: b[0].color),
            ("color at the top", lambda b: b[-1].color),
            ("top color", lambda b: b[-1].color),
        ]
    words, key = draws.pick(keys)

    def count(picture: Picture, _: bool) -> int:
        return max(Counter(map(key, picture.boxes)).values())

    said = draws.pick(
        (
            Amount("two", 2, 2, True, bare=True),
            Amount("at least two", 2, MANY, True),
            Amount("exactly two", 2, 2, True),
        )
    )
    link = draws.pick(
        ("with the same", "that has the same", "which has the same", "that have the same")
    )
    return Statement(f"there are {said.words} {noun} {link} {words}", said, count)


def _written(draws: Draws, text: str) -> str:
    """The text with the slips that people make."""
    text = text.replace(" a a", " a a")
    if draws.unit() < 0.06:
        words = text.split(" ")
        place = draws.below(len(words))
        slip = draws.below(3)
        word = words[place]
        if slip == 0 and len(word) > 3:
            cut = draws.below(len(word))
            words[place] = word[:cut] + word[cut + 1 :]
        elif slip == 1 and word in ("a", "the"):
            del words[place]
        elif len(word) > 3:
            swap = draws.below(len(word) - 1)
            words[place] = word[:swap] + word[swap + 1] + word[swap] + word[swap + 2 :]
        text = " ".join(words)
    return text[0].upper() + text[1:] + ("." if draws.unit() < 0.7 else "")


Maker = Callable[[Draws, Picture], Statement]
_SCATTER: tuple[tuple[float, Maker], ...] = (
    (2.0, _items),
    (5.0, _placed_items),
    (0.3, _all_items_placed),
    (6.0, _boxes),
    (0.15, _alike),
)
_TOWER: tuple[tuple[float, Maker], ...] = (
    (1.2, _items),
    (1.6, _blocks_at_end),
    (0.3, _end_of_towers),
    (1.2, _block_on_block),
    (5.0, _boxes),
    (0.8, _tower_named),
    (0.8, _sized_tower),
    (0.3, _alike),
)
