"""Facts about towers only: their ends, their levels, and which block is on which."""

from itertools import pairwise

from weft.worlds.boxes.shared_facts import Fact, say_total
from weft.worlds.boxes.words import (
    number,
    weighed,
)
from weft.worlds.boxes.world import COLORS, Box, Kind
from weft.worlds.scenes.world import Draws

_LEVELS = ("first", "second", "third", "fourth")


def say_end(draws: Draws, kind: Kind, box: Box) -> Fact:  # noqa: ARG001
    """Such as "a blue block at the top", "a black base"."""
    top = draws.unit() < 0.45
    place = len(box) - 1 if top else 0
    color = box[place].color if draws.unit() < 0.85 else draws.pick(COLORS)
    noun = draws.pick(("block", "block", "block", "item"))
    words: tuple[str, ...]
    if top:
        words = (
            f"a {color} {noun} at the top",
            f"a {color} {noun} at the top",
            f"a {color} {noun} on top",
        )
        words = (*words, f"a {color} top", f"{color} {noun} at top", f"a {color} {noun} on the top")
    else:
        words = (
            f"a {color} {noun} at the base",
            f"a {color} {noun} at the base",
            f"a {color} base",
        )
        words = (
            *words,
            f"a {color} {noun} at the bottom",
            f"{color} {noun} at base",
            f"a {color} {noun} touching the base",
        )
    return Fact(draws.pick(words), lambda b, _: b[len(b) - 1 if top else 0].color == color)


def say_level(draws: Draws, kind: Kind, box: Box) -> Fact:  # noqa: ARG001
    """Such as "a yellow block as the second block from the base", or "in the middle"."""
    level = draws.below(len(box))
    color = box[level].color if draws.unit() < 0.85 else draws.pick(COLORS)
    if len(box) == 3 and draws.unit() < 0.5:
        middle = draws.pick(("in the middle", "as a middle block", "in between"))
        return Fact(f"a {color} block {middle}", lambda b, _: len(b) == 3 and b[1].color == color)
    if level == len(box) - 2 and draws.unit() < 0.3:
        below = draws.pick(
            ("below the top block", "beneath the block on top", "right below the top")
        )
        return Fact(f"a {color} block {below}", lambda b, _: len(b) > 1 and b[-2].color == color)
    name = _LEVELS[level]
    words = (
        f"a {color} {name} block",
        f"a {color} block as the {name} block from the base",
        f"{color} blocks as the {name} level",
        f"a {color} block as the {name} block",
    )
    return Fact(draws.pick(words), lambda b, _: len(b) > level and b[level].color == color)


def say_stacked(draws: Draws, kind: Kind, box: Box) -> Fact:  # noqa: ARG001
    """Such as "a black block above a blue block", "two black blocks stacked together", or one between two."""
    pairs = list(pairwise(item.color for item in box))
    low, high = (
        draws.pick(pairs)
        if pairs and draws.unit() < 0.9
        else (draws.pick(COLORS), draws.pick(COLORS))
    )
    if len(box) > 2 and draws.unit() < 0.15:
        return _between(draws, box)
    if low == high and draws.unit() < 0.6:
        tail = draws.pick(
            (
                "stacked together",
                "attached with each other",
                "touching each other",
                "on top of each other",
            )
        )
        return Fact(f"{number(draws, 2)} {low} blocks {tail}", lambda b, _: over(b, low, low))
    above = draws.pick(("above", "over", "on", "on top of", "directly on top of"))
    words = f"a {high} block {above} a {low} block"
    if draws.unit() < 0.2:
        words = f"a {low} block {draws.pick(('below', 'bellow', 'beneath'))} a {high} block"
    return Fact(words, lambda b, _: over(b, high, low))


def _between(draws: Draws, box: Box) -> Fact:
    place = 1 + draws.below(len(box) - 2)
    color, below, above = (box[p].color for p in (place, place - 1, place + 1))
    if below == above and draws.unit() < 0.7:
        words = f"a {color} block between two {below} blocks"
        return Fact(
            words,
            lambda b, _: any(
                b[p].color == color and b[p - 1].color == below == b[p + 1].color
                for p in range(1, len(b) - 1)
            ),
        )
    words = f"a {color} block between two blocks of {draws.pick(('the ', ''))}same color"
    return Fact(
        words,
        lambda b, _: any(
            b[p].color == color and b[p - 1].color == b[p + 1].color for p in range(1, len(b) - 1)
        ),
    )


def over(box: Box, high: str, low: str) -> bool:
    """Whether a block of colour `high` is directly on one of colour `low`."""
    return any(b.color == high and a.color == low for a, b in pairwise(box))


def _plain_total(draws: Draws, kind: Kind, box: Box) -> Fact:
    del kind
    said = number(draws, len(box))
    plural = "s" if len(box) > 1 else ""
    n = len(box)
    return Fact(f"{said} block{plural}", lambda b, _: len(b) == n)


def say_total_and_end(draws: Draws, kind: Kind, box: Box) -> Fact:
    """Such as "three blocks and a blue block at the top"."""
    total = draws.pick((say_total, _plain_total))(draws, kind, box)
    end = weighed(draws, ((6, say_end), (1, say_level), (2, say_stacked)))(draws, kind, box)
    joint = draws.pick((" and ", " with ", " having "))
    return Fact(
        f"{total.words}{joint}{end.words}", lambda b, g: total.holds(b, g) and end.holds(b, g)
    )
