"""The content of a scene: objects with shape, colour, size and place, all in the unit square.

Names and pairs are sampled so that questions are balanced by construction. The held-out pairs form a
cyclic pattern over colours and shapes. So every colour and every shape lacks the same number of partners
in training, and all colours, and all shapes, are equally frequent.
"""

import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

T = TypeVar("T")
Split = Literal["train", "validation", "test", "test_heldout"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "test_heldout")

SHAPES = (
    "circle",
    "square",
    "triangle",
    "diamond",
    "pentagon",
    "star",
    "cross",
    "heart",
    "ring",
    "crescent",
)
COLORS = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
)
SIZES = ("small", "large")
TINTS = ("gray", "sand", "mint", "lilac", "sky", "slate")
PATTERNS = ("plain", "shaded", "striped", "checkered")
RELATIONS = ("left", "right", "above", "below")

HELD_OUT = frozenset(
    (color, SHAPES[(i + step) % len(SHAPES)]) for i, color in enumerate(COLORS) for step in (3, 7)
)
"""Colour-shape pairs that occur in no split but test_heldout."""


@functools.cache
def pairs_of(
    colors: tuple[str, ...], shapes: tuple[str, ...], held_out: bool
) -> tuple[tuple[str, str], ...]:
    """The pairs of these colours and shapes that are held out of training; with held_out False all others."""
    pairs = ((c, s) for c in colors for s in shapes)
    return tuple(pair for pair in pairs if (pair in HELD_OUT) == held_out)


def is_balanced(colors: tuple[str, ...], shapes: tuple[str, ...]) -> bool:
    """Whether some pairs are held out, the same number for each colour and for each shape."""
    held_out = pairs_of(colors, shapes, True)
    missed = (
        [Counter(pair[i] for pair in held_out)[v] for v in names]
        for i, names in enumerate((colors, shapes))
    )
    return bool(held_out) and all(len(set(counts)) == 1 for counts in missed)


ROUND = ("circle", "ring")
TURNS = 5
"""Number of slight rotations of a shape, from -12 to 12 degrees."""
RADII = {"small": (0.085, 0.092, 0.099, 0.106), "large": (0.155, 0.165, 0.175, 0.185)}

_CLEAR = 0.15
"""Objects whose centres differ by less than this along an axis are not called left or above."""


class Draws:
    """A stream of uniform numbers that is a pure function of its key.

    It reads the raw bits of PCG64, which NumPy keeps the same across versions and platforms
    (NEP 19), and not the Generator's distributions, which it may change.
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))
        self._values: list[float] = []

    def unit(self) -> float:
        """A number in [0, 1)."""
        if not self._values:
            self._values = ((self._bits.random_raw(96) >> np.uint64(11)) * 2.0**-53).tolist()
        return self._values.pop()

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.unit()

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return int(self.unit() * n)

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self.unit() * len(values))]

    def sample(self, values: Sequence[T], n: int) -> list[T]:
        """The first `n` of the values in random order, or all of them if there are fewer."""
        pool = list(values)
        n = min(n, len(pool))
        for i in range(n):
            j = i + int(self.unit() * (len(pool) - i))
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:n]


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a scene.

    x, y: centre of its bounding circle, in [0, 1] from the left and the top. radius: of that circle.
    turn: number of its rotation. box: (x0, y0, x1, y1), tight around the whole shape, also around a
    hidden part. center: of the box. visible: share of its area that no other object covers.
    """

    shape: str
    color: str
    size: str
    x: float
    y: float
    radius: float
    turn: int
    box: tuple[float, float, float, float]
    center: tuple[float, float]
    visible: float = 1.0


@dataclass(frozen=True, slots=True)
class Description:
    """The content of a phrase such as "large red star"; None for an attribute that it does not state."""

    size: str | None = None
    color: str | None = None
    shape: str | None = None

    def matches(self, thing: Object) -> bool:
        return (
            (self.shape is None or self.shape == thing.shape)
            and (self.color is None or self.color == thing.color)
            and (self.size is None or self.size == thing.size)
        )

    def count(self, objects: Sequence[Object]) -> int:
        return [self.matches(thing) for thing in objects].count(True)


@dataclass(frozen=True, slots=True)
class Scene:
    """objects: in drawing order; a later one covers an earlier one. topic: a colour, a shape or a pair of both.
    topic_count: how many objects of the topic the scene has; this number was sampled first. covering: numbers
    (front, back) of the objects that overlap. grain: number in [0, 1) that selects the noise. colors, shapes:
    those of the scene's world.
    """

    objects: tuple[Object, ...]
    tint: str
    pattern: str
    topic: Description
    topic_count: int
    covering: tuple[int, int] | None
    grain: float
    colors: tuple[str, ...] = COLORS
    shapes: tuple[str, ...] = SHAPES


@functools.cache
def outline(shape: str, turn: int) -> tuple[tuple[float, float], ...]:
    """The corners of the shape in the unit circle around (0, 0), y downwards."""
    corners = _corners(shape)
    reach = max(math.hypot(x, y) for x, y in corners)
    angle = 0.0 if shape in ROUND else math.radians(12 * (2 * turn / (TURNS - 1) - 1))
    cos, sin = math.cos(angle) / reach, math.sin(angle) / reach
    return tuple((x * cos - y * sin, x * sin + y * cos) for x, y in corners)


def _corners(shape: str) -> list[tuple[float, float]]:
    def around(
        n: int, start: float = -90.0, radii: Sequence[float] = (1.0,)
    ) -> list[tuple[float, float]]:
        angles = [math.radians(start + 360 * i / n) for i in range(n)]
        return [
            (radii[i % len(radii)] * math.cos(a), radii[i % len(radii)] * math.sin(a))
            for i, a in enumerate(angles)
        ]

    if shape == "square":
        return around(4, -45)
    if shape == "diamond":
        return [(0, -1), (0.72, 0), (0, 1), (-0.72, 0)]
    if shape == "star":
        return around(10, radii=(1.0, 0.42))
    if shape == "cross":
        a, b = 1.0, 0.34
        quarter = [(b, -a), (b, -b), (a, -b)]
        return [point for k in range(4) for point in (_quarter_turn(x, y, k) for x, y in quarter)]
    if shape == "heart":
        return [_heart(2 * math.pi * i / 22) for i in range(22)]
    if shape == "crescent":
        # The unit circle minus a circle of radius 0.8 around (0.5, 0); they intersect at x = 0.61.
        outer, inner = math.acos(0.61), math.atan2(math.sqrt(1 - 0.61**2), 0.11)
        back = [outer + (2 * math.pi - 2 * outer) * i / 12 for i in range(13)]
        front = [inner + (2 * math.pi - 2 * inner) * i / 9 for i in range(10)]
        return [(math.cos(a), math.sin(a)) for a in back] + [
            (0.5 + 0.8 * math.cos(a), 0.8 * math.sin(a)) for a in reversed(front)
        ]
    return around({"triangle": 3, "pentagon": 5, "circle": 48, "ring": 48}[shape])


def _heart(t: float) -> tuple[float, float]:
    y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
    notch = 4.5 if t == 0 else 0.0  # deep enough to be seen in a small picture
    return 16 * math.sin(t) ** 3, -2 - y + notch


def _quarter_turn(x: float, y: float, times: int) -> tuple[float, float]:
    for _ in range(times):
        x, y = -y, x
    return x, y


@functools.cache
def _extent(shape: str, turn: int) -> tuple[float, float, float, float]:
    xs, ys = zip(*outline(shape, turn), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def place(
    shape: str, color: str, size: str, x: float, y: float, radius: float, turn: int
) -> Object:
    """The object with its box."""
    x0, y0, x1, y1 = _extent(shape, turn)
    box = (x + radius * x0, y + radius * y0, x + radius * x1, y + radius * y1)
    center = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return Object(shape, color, size, x, y, radius, turn, box, center)


def relation(a: Object, b: Object) -> str | None:
    """The position of `a` relative to `b`: one of RELATIONS, or None if it is not clear-cut."""
    (ax, ay), (bx, by) = a.center, b.center
    dx, dy = ax - bx, ay - by
    if abs(dx) >= _CLEAR and abs(dx) >= 1.4 * abs(dy):
        return "left" if dx < 0 else "right"
    if abs(dy) >= _CLEAR and abs(dy) >= 1.4 * abs(dx):
        return "above" if dy < 0 else "below"
    return None


def region(thing: Object) -> str | None:
    """One of nine names such as "top left", "right" or "center"; None near the border of two regions."""
    x, y = thing.center
    column = "left" if x < 0.3 else "right" if x > 0.7 else "" if 0.38 < x < 0.62 else None
    row = "top" if y < 0.3 else "bottom" if y > 0.7 else "" if 0.38 < y < 0.62 else None
    if column is None or row is None:
        return None
    return f"{row} {column}".strip() or "center"
