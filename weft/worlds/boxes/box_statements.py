"""Sentences that count the boxes or towers for which a fact holds."""

from collections import Counter
from collections.abc import Callable

from weft.worlds.boxes.facts import fact, facts
from weft.worlds.boxes.item_statements import Statement
from weft.worlds.boxes.words import (
    MANY,
    SOME,
    Amount,
    amount,
    number,
    weighed,
)
from weft.worlds.boxes.world import (
    BOXES,
    COLORS,
    Box,
    Kind,
    Picture,
    sample_box,
)
from weft.worlds.scenes.world import Draws


def of_boxes(draws: Draws, picture: Picture) -> Statement:
    """Such as "there are exactly two boxes with at least one black circle", and its other forms."""
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


def of_named_tower(draws: Draws, picture: Picture) -> Statement:
    """Such as "there is a blue tower with only one block", "there is a two blocks tower"."""
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


def of_sized_tower(draws: Draws, picture: Picture) -> Statement:
    """Such as "the tower with four blocks has a blue block at the top"."""
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


def of_likeness(draws: Draws, picture: Picture) -> Statement:
    """Such as "there are two towers with the same base colour", "two boxes with the same number of items"."""
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
