"""Samples a scene: its objects and their places."""

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

from weft.worlds.scenes import world
from weft.worlds.scenes.drawing import hidden_share
from weft.worlds.scenes.world import (
    COLORS,
    PATTERNS,
    SHAPES,
    TINTS,
    TURNS,
    Description,
    Draws,
    Object,
    Scene,
    Split,
    pairs_of,
)

Pair = tuple[str, str]
Pools = tuple[list[Pair], list[Pair], list[Pair], list[Pair]]
_MARGIN = 0.012


def sample_scene(
    draws: Draws,
    split: Split,
    objects: tuple[int, int],
    scale: float = 1.0,
    patterns: Sequence[str] = PATTERNS,
    colors: tuple[str, ...] = COLORS,
    shapes: tuple[str, ...] = SHAPES,
    overlap: float = 0.5,
) -> Scene:
    """Samples a scene of `objects[0]` to `objects[1]` objects.

    scale: factor of their radii. overlap: share of the scenes in which two objects overlap.

    The number of objects of the topic is sampled first, uniformly. So every answer to "how many?" about the
    topic is equally likely.
    """
    held_out = split == "test_heldout"
    topic = _topic(draws, held_out, colors, shapes)
    topic_count = draws.below(min(4, objects[1] - 1))
    number = max(objects[0] + draws.below(objects[1] - objects[0] + 1), topic_count + 2)
    pairs = _pairs(draws, _pools(topic, colors, shapes), topic_count, number, held_out)
    large = 1 + draws.below(min(3, number - 1))
    sizes = draws.sample(["large"] * large + ["small"] * (number - large), number)
    tint, pattern = draws.pick(TINTS), draws.pick(patterns)
    placed = _layout(draws, list(zip(pairs, sizes, strict=True)), scale, overlap)
    placed, covering = _with_visibility(draws.sample(placed, number))
    grain = draws.unit()
    return Scene(tuple(placed), tint, pattern, topic, topic_count, covering, grain, colors, shapes)


def _topic(
    draws: Draws, held_out: bool, colors: tuple[str, ...], shapes: tuple[str, ...]
) -> Description:
    kind = draws.below(3)
    if kind == 0:
        return Description(color=draws.pick(colors))
    if kind == 1:
        return Description(shape=draws.pick(shapes))
    color, shape = draws.pick(pairs_of(colors, shapes, held_out))
    return Description(color=color, shape=shape)


@functools.cache
def _pools(topic: Description, colors: tuple[str, ...], shapes: tuple[str, ...]) -> Pools:
    """Seen pairs of the topic, other seen pairs, and the same two for held-out pairs."""

    def shows(pair: Pair) -> bool:
        return topic.color in (None, pair[0]) and topic.shape in (None, pair[1])

    seen, held = (pairs_of(colors, shapes, held_out) for held_out in (False, True))
    return (
        [p for p in seen if shows(p)],
        [p for p in seen if not shows(p)],
        [p for p in held if shows(p)],
        [p for p in held if not shows(p)],
    )


def _pairs(draws: Draws, pools: Pools, count: int, number: int, held_out: bool) -> list[Pair]:
    """Colour and shape of each object. `count` of them are of the topic."""
    seen, seen_other, held, held_other = pools
    pairs = [draws.pick(seen or held) for _ in range(count)]
    pairs += [draws.pick(seen_other) for _ in range(number - count)]
    if held_out:
        slot = draws.below(number)
        pairs[slot] = draws.pick(held if slot < count else held_other)
    return pairs


def _layout(
    draws: Draws, looks: list[tuple[Pair, str]], scale: float, overlap: float
) -> list[Object]:
    """Places the objects, large ones first; at most one pair of them overlaps."""
    looks = sorted(looks, key=lambda look: look[1])  # "large" before "small"
    overlaps = draws.unit() < overlap
    while True:
        placed: list[Object] = []
        for (color, shape), size in looks:
            radius = scale * draws.pick(world.RADII[size])
            onto = placed[0] if overlaps and len(placed) == len(looks) - 1 else None
            spot = _spot(draws, placed, radius, onto)
            if spot is None:
                break
            placed.append(world.place(shape, color, size, *spot, radius, draws.below(TURNS)))
        else:
            return placed


def _spot(
    draws: Draws, placed: list[Object], radius: float, onto: Object | None
) -> tuple[float, float] | None:
    """A free place for a circle of that radius, or one that overlaps only `onto`; None if none was found.

    The centre of the smaller circle stays outside the larger one, so more than half of the object behind
    stays visible.
    """
    low, high = radius + _MARGIN, 1 - radius - _MARGIN
    for _ in range(24):
        if onto is None:
            x, y = draws.between(low, high), draws.between(low, high)
        else:
            small, large = sorted((radius, onto.radius))
            distance = draws.between(large + 0.2 * small, large + 0.55 * small)
            angle = 2 * math.pi * draws.unit()
            x, y = onto.x + distance * math.cos(angle), onto.y + distance * math.sin(angle)
            if not (low <= x <= high and low <= y <= high):
                continue
        if all(
            (x - o.x) ** 2 + (y - o.y) ** 2 >= (radius + o.radius + _MARGIN) ** 2
            for o in placed
            if o is not onto
        ):
            return x, y
    return None


def _with_visibility(placed: list[Object]) -> tuple[list[Object], tuple[int, int] | None]:
    """The objects with their visible share, and the numbers (front, back) of the pair that overlaps, if any."""
    for front, a in enumerate(placed):
        for back, b in enumerate(placed[:front]):
            if (a.x - b.x) ** 2 + (a.y - b.y) ** 2 < (a.radius + b.radius) ** 2:
                hidden = hidden_share(b, a)
                placed[back] = replace(b, visible=round(1 - hidden, 3))
                return placed, (front, back) if hidden > 0.04 else None
    return placed, None
