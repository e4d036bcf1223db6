"""Facts about any box: a phrase that follows "with" or "has", and a test of its truth."""

from collections.abc import Callable
from typing import NamedTuple

from weft.worlds.boxes.words import (
    MANY,
    Amount,
    Description,
    amount,
    any_item,
    description,
    number,
    place_of,
    weighed,
)
from weft.worlds.boxes.world import COLORS, MOST_BLOCKS, MOST_ITEMS, Box, Kind, distance
from weft.worlds.scenes.world import Draws

_TOUCH = 3
"""Items at most this many pixels apart count as touching."""


class Fact(NamedTuple):
    """holds(box, generous): whether the fact is true. generous: an amount without "exactly" allows for more."""

    words: str
    holds: Callable[[Box, bool], bool]


def _nouns(kind: Kind) -> tuple[str, ...]:
    return ("block", "block", "block", "item") if kind == "tower" else ("item", "item", "object")


def _some_of(draws: Draws, kind: Kind, box: Box) -> tuple[Description, Amount]:
    item = draws.pick(box) if box and draws.unit() < 0.9 else any_item(draws)
    what = description(draws, kind, item, plain=0.02)
    return what, amount(draws, what.count(box), MOST_ITEMS)


def say_counted(draws: Draws, kind: Kind, box: Box) -> Fact:
    what, said = _some_of(draws, kind, box)
    return Fact(what.with_amount(said), lambda b, g: said.fits(what.count(b), g))


def say_several(draws: Draws, kind: Kind, box: Box) -> Fact:
    """Such as "a yellow circle, a blue square and two black items"."""
    parts: list[tuple[Description, Amount]] = []
    for _ in range(weighed(draws, ((7, 2), (2, 3)))):
        what, said = _some_of(draws, kind, box)
        if said.low > 0 and all((w.color, w.shape) != (what.color, what.shape) for w, _ in parts):
            parts.append((what, said))
    if not parts:
        return say_counted(draws, kind, box)
    texts = [what.with_amount(said) for what, said in parts]
    if len(parts) > 1 and parts[0][0].noun == parts[1][0].noun and draws.unit() < 0.3:
        first, said = parts[0]
        if first.color is not None and first.side is None:
            texts[0] = f"{said.words} {first.color}"  # two yellow and one blue item
    words = ", ".join(texts[:-1]) + (" and " if len(texts) > 1 else "") + texts[-1]
    return Fact(words, lambda b, g: all(s.fits(w.count(b), g) for w, s in parts))


def say_total(draws: Draws, kind: Kind, box: Box) -> Fact:
    most = MOST_BLOCKS if kind == "tower" else MOST_ITEMS
    said = amount(draws, len(box), most)
    if said.words == "a" or said.low == 0 == said.high:
        said = Amount(
            draws.pick(("only one", "exactly one", "one", "only 1", "a single")), 1, 1, False
        )
    noun = draws.pick(_nouns(kind)) + ("s" if said.plural else "")
    return Fact(f"{said.words} {noun}", lambda b, g: said.fits(len(b), g))


def say_many(draws: Draws, kind: Kind, box: Box) -> Fact:  # noqa: ARG001
    noun = draws.pick(_nouns(kind)) + "s"
    said, low = draws.pick((("many", 5), ("multiple", 3), ("a lot of", 5)))
    return Fact(f"{said} {noun}", lambda b, _: len(b) >= low)


def say_total_of_which(draws: Draws, kind: Kind, box: Box) -> Fact:
    """Such as "3 items of which 2 are black", "exactly four objects one of which is a black triangle"."""
    total = say_total(draws, kind, box)
    what, said = _some_of(draws, kind, box)
    if what.color is None and what.shape is None:
        return total
    if what.shape is None and what.side is None:
        tail = draws.pick(
            (
                f"of which {said.words} {said.verb} {what.color}",
                f"and {said.words} of them {said.verb} {what.color}",
                f"and the {said.words} {said.verb} {what.color}",
                f"of which {said.words} {said.verb} {what.words(said.plural)}",
            )
        )
    else:
        named = what.words(True) if said.plural else f"a {what.words(False)}"
        tail = draws.pick(
            (
                f"{said.words} of which {said.verb} {named}",
                f"of which {said.words} {said.verb} {named}",
            )
        )
    if said.words == "a":
        tail = (
            tail.replace("a ", "one ", 1)
            if tail.startswith("a ")
            else tail.replace(" a ", " one ", 1)
        )
    return Fact(
        f"{total.words} {tail}", lambda b, g: total.holds(b, g) and said.fits(what.count(b), g)
    )


def say_only_kinds(draws: Draws, kind: Kind, box: Box) -> Fact:
    """Such as "only blue and yellow items", "only triangles"."""
    if kind == "scatter" and draws.unit() < 0.3:
        shapes = sorted({item.shape for item in box}) or ["circle"]
        said = " and ".join(f"{shape}s" for shape in draws.sample(shapes, len(shapes)))
        return Fact(f"only {said}", lambda b, _: {i.shape for i in b} == set(shapes))
    colors = draws.sample(sorted({item.color for item in box}) or ["blue"], 3)
    if draws.unit() < 0.2 or len(colors) == 3:
        colors = draws.sample(COLORS, 1 + draws.below(2))
    said, noun = " and ".join(colors), draws.pick(_nouns(kind)) + "s"
    words = (
        *(f"only {said} {noun}", f"only {said} {noun}"),
        *(f"{noun} of only {said} color", f"only {said} color {noun}"),
    )
    return Fact(draws.pick(words), lambda b, _: {i.color for i in b} == set(colors))


def say_number_of_colors(draws: Draws, kind: Kind, box: Box) -> Fact:
    n = max(1, len({item.color for item in box}))
    if draws.unit() < 0.15:
        n = 1 + draws.below(3)
    noun = draws.pick(_nouns(kind)) + "s"
    several = draws.pick(("different colors", "different color", "colors"))
    words: tuple[str, ...] = (f"{noun} of {number(draws, n)} {several}",)
    if n == 3:
        words = (*words, f"{noun} of all 3 {several}", f"all three {several}")
    if n == 1:
        words = (
            f"{noun} of the same color",
            "only one color",
            "a single color",
            f"all {noun} of the same color",
        )
    fact = Fact(draws.pick(words), lambda b, _: len({i.color for i in b}) == n)
    if n == 1 or draws.unit() < 0.6:
        return fact
    total = number(draws, len(box))
    return Fact(f"{total} {fact.words}", lambda b, g: len(b) == len(box) and fact.holds(b, g))


def say_same_color(draws: Draws, kind: Kind, box: Box) -> Fact:
    """Such as "two items of the same colour": this many items of any one colour."""
    counts = [sum(item.color == c for item in box) for c in COLORS]
    said = amount(draws, max(counts), MOST_ITEMS)
    if not said.plural:
        said = Amount("two", 2, MANY, plural=True)
    same = draws.pick(("color", "color", "colour"))
    words = f"{said.words} {draws.pick(_nouns(kind))}s of {draws.pick(('the ', ''))}same {same}"
    return Fact(
        words,
        lambda b, g: any(said.fits(sum(i.color == c for i in b), g) for c in COLORS),
    )


def say_placed(draws: Draws, kind: Kind, box: Box) -> Fact:
    item = draws.pick(box) if box and draws.unit() < 0.9 else any_item(draws)
    what, where = description(draws, kind, item), place_of(draws, item)
    count = sum(what.fits(i) and where.fits(i) for i in box)
    said = amount(draws, count, MOST_ITEMS)
    words = f"{what.with_amount(said)} {draws.pick(where.words)}"
    return Fact(words, lambda b, g: said.fits(sum(what.fits(i) and where.fits(i) for i in b), g))


def say_touching_each_other(draws: Draws, kind: Kind, box: Box) -> Fact:
    close = [(a, b) for a in box for b in box if a is not b and distance(a, b) <= _TOUCH]
    a, b = draws.pick(close) if close else (any_item(draws), any_item(draws))
    first, second = description(draws, kind, a), description(draws, kind, b)
    words = (
        f"a {first.words(False)} {draws.pick(('closely ', ''))}touching a {second.words(False)}",
        f"a {first.words(False)} and a {second.words(False)} touching each other",
    )

    def holds(b: Box, _: bool) -> bool:
        return any(
            x is not y and first.fits(x) and second.fits(y) and distance(x, y) <= _TOUCH
            for x in b
            for y in b
        )

    return Fact(draws.pick(words), holds)
