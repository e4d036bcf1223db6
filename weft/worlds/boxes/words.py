"""Amounts, descriptions and places: their meaning and their words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from weft.worlds.boxes.world import COLORS, SHAPES, SIZES, Item, Kind
from weft.worlds.scenes.world import Draws

T = TypeVar("T")
MANY = 99
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")


def weighed(draws: Draws, choices: Sequence[tuple[float, T]]) -> T:
    """Samples one of the choices with probabilities in proportion to their weights."""
    left = draws.unit() * sum(weight for weight, _ in choices)
    for weight, choice in choices:
        left -= weight
        if left < 0:
            return choice
    return choices[-1][1]


def number(draws: Draws, n: int) -> str:
    """A number in digits or as a word."""
    return str(n) if draws.unit() < 0.4 or n >= len(_NUMBERS) else _NUMBERS[n]


class Amount(NamedTuple):
    """An amount from `low` to `high`. bare: stated without "exactly", so that a larger count may fit too."""

    words: str
    low: int
    high: int
    plural: bool
    bare: bool = False

    def fits(self, count: int, generous: bool) -> bool:
        return self.low <= count and (count <= self.high or (generous and self.bare))

    def gap(self, count: int, wanted: bool) -> int:
        """Distance of `count` to the nearest count that fits (wanted) or does not fit (not wanted)."""
        if wanted:
            return max(self.low - count, count - self.high, 0)
        return max(min(count - self.low + 1, self.high - count + 1), 0)

    @property
    def verb(self) -> str:
        return "are" if self.plural else "is"


SOME = Amount("a", 1, MANY, plural=False)


def amount(draws: Draws, count: int, most: int) -> Amount:
    """Samples an amount for `count` things that is right most of the time."""
    if count == 0 and draws.unit() < 0.5:
        return Amount("no", 0, 0, plural=False)
    n = count
    if count == 0 or draws.unit() < 0.15:
        n = max(1, min(most, count + draws.pick((-1, 1, 2))))
    if n == 1 and draws.unit() < 0.45:
        return SOME
    said = number(draws, n)
    exact = weighed(draws, ((3, "exactly "), (1, "only ")))
    choices: tuple[tuple[float, Amount], ...] = (
        (0.4, Amount(said, n, n, n > 1, bare=True)),
        (0.3, Amount(exact + said, n, n, n > 1)),
        (0.3, _at_least(draws, n)),
        (0.03, Amount(f"at most {said}", 0, n, n > 1)),
        (0.015, Amount(f"less than {number(draws, n + 1)}", 0, n, plural=True)),
    )
    return weighed(draws, choices)


def _at_least(draws: Draws, n: int) -> Amount:
    if draws.unit() < 0.3:
        n = max(1, n - 1)
    if n > 1 and draws.unit() < 0.1:
        return Amount(f"more than {number(draws, n - 1)}", n, MANY, plural=True)
    least = weighed(draws, ((9, "at least"), (1, "atleast")))
    return Amount(f"{least} {number(draws, n)}", n, MANY, n > 1)


@dataclass(frozen=True, slots=True)
class Description:
    """A kind of item, as a noun in singular and plural. None: the description does not state this attribute."""

    noun: str
    color: str | None = None
    shape: str | None = None
    side: int | None = None

    def fits(self, item: Item) -> bool:
        return (
            (self.color is None or item.color == self.color)
            and (self.shape is None or item.shape == self.shape)
            and (self.side is None or item.side == self.side)
        )

    def count(self, items: Sequence[Item]) -> int:
        return sum(map(self.fits, items))

    def words(self, plural: bool) -> str:
        size = next((name for name, side in SIZES.items() if side == self.side), None)
        noun = self.noun + ("s" if plural else "")
        return " ".join(word for word in (size, self.color, noun) if word)

    def with_amount(self, said: Amount) -> str:
        return f"{said.words} {self.words(said.plural)}"


def description(draws: Draws, kind: Kind, item: Item, plain: float = 0.12) -> Description:
    """Samples a description that fits the item. plain: probability of only "item" or "block"."""
    color = None if draws.unit() < plain + 0.12 else item.color
    if kind == "tower":
        noun = weighed(draws, ((8, "block"), (1.5, "item"), (0.5, "object")))
        color = None if draws.unit() < plain else item.color
        return Description(noun, color, None)
    shape = item.shape if draws.unit() < 0.55 or (color is None and draws.unit() > plain) else None
    side = item.side if draws.unit() < 0.06 else None
    noun = shape or weighed(draws, ((6, "item"), (4, "object")))
    return Description(noun, color, shape, side)


def any_item(draws: Draws) -> Item:
    """Samples an item, whether or not it is in the picture."""
    return Item(draws.pick(COLORS), draws.pick(SHAPES), draws.pick(tuple(SIZES.values())), 40, 40)


class Place(NamedTuple):
    """A place of an item, and its wordings."""

    words: tuple[str, ...]
    fits: Callable[[Item], bool]
    weight: float


def _at_corner(item: Item) -> bool:
    left, right, roof, floor = item.walls
    return (left or right) and (roof or floor)


def _in_the_open(item: Item) -> bool:
    return not any(item.walls)


PLACES = (
    Place(
        (
            *("touching the wall", "touching the edge", "touching any edge", "touching the side"),
            *("touching an edge", "closely touching a wall of a box", "touching the wall of a box"),
            *("touching the side of the box", "attached to the wall", "touching a wall"),
        ),
        lambda item: any(item.walls),
        3.0,
    ),
    Place(
        (
            *("not touching the edge", "not touching any edge", "not touching the wall"),
            *("not touching the side", "not touching a wall", "not closely touching any wall"),
        ),
        _in_the_open,
        2.0,
    ),
    Place(
        (
            *("closely touching the bottom of a box", "touching the base", "touching the bottom"),
            *("touching the bottom base", "touching the bottom of the box"),
        ),
        lambda item: item.walls[3],
        2.5,
    ),
    Place(
        ("closely touching right wall of a box", "touching the right wall", "touching right side"),
        lambda item: item.walls[1],
        1.5,
    ),
    Place(
        (
            "closely touching a corner of a box",
            "closely touching a corner",
            "touching the corner",
            "in the corner of the box",
            "touching a corner",
            "attached to the corner of the box",
        ),
        _at_corner,
        1.5,
    ),
    Place(
        (
            "closely touching the bottom right corner",
            "touching the bottom right corner of a box",
            "closely touching bottom-right corner of a box",
            "touching the right corner",
        ),
        lambda item: item.walls[1] and item.walls[3],
        0.4,
    ),
    Place(
        ("closely touching the roof of a box", "touching the roof", "touching the top"),
        lambda item: item.walls[2],
        0.5,
    ),
    Place(
        ("closely touching left wall of a box", "touching the left wall", "touching left side"),
        lambda item: item.walls[0],
        0.3,
    ),
)


def place_of(draws: Draws, item: Item) -> Place:
    """Samples a place, preferably one where the item is."""
    fitting = [(p.weight, p) for p in PLACES if p.fits(item)]
    every = [(p.weight, p) for p in PLACES]
    return weighed(draws, fitting if draws.unit() < 0.7 else every)
