"""Facts about a box, sampled about as often as people state them."""

from collections.abc import Callable

from weft.worlds.boxes.shared_facts import (
    Fact,
    say_counted,
    say_many,
    say_number_of_colors,
    say_only_kinds,
    say_placed,
    say_same_color,
    say_several,
    say_total,
    say_total_of_which,
    say_touching_each_other,
)
from weft.worlds.boxes.tower_facts import say_end, say_level, say_stacked, say_total_and_end
from weft.worlds.boxes.words import weighed
from weft.worlds.boxes.world import Box, Kind
from weft.worlds.scenes.world import Draws

Maker = Callable[[Draws, Kind, Box], Fact]

_SHARED: tuple[tuple[float, Maker], ...] = (
    (3.0, say_counted),
    (2.5, say_total),
    (0.25, say_many),
    (1.2, say_total_of_which),
    (2.0, say_only_kinds),
    (1.0, say_number_of_colors),
    (0.5, say_same_color),
)

_SCATTER: tuple[tuple[float, Maker], ...] = (
    *_SHARED,
    (5.0, say_several),
    (1.5, say_placed),
    (0.3, say_touching_each_other),
)

_TOWER: tuple[tuple[float, Maker], ...] = (
    *_SHARED,
    (1.0, say_several),
    (4.0, say_end),
    (1.2, say_level),
    (3.0, say_stacked),
    (1.5, say_total_and_end),
)


def fact(draws: Draws, kind: Kind, box: Box) -> Fact:
    """Samples a fact that is mostly true for the box, and may be false for other boxes."""
    return weighed(draws, _TOWER if kind == "tower" else _SCATTER)(draws, kind, box)


def facts(draws: Draws, kind: Kind, box: Box) -> Fact:
    """Samples one fact, or two that are joined."""
    first = fact(draws, kind, box)
    if draws.unit() > 0.15:
        return first
    second = fact(draws, kind, box)
    joint = draws.pick((" and ", " and ", ", "))
    return Fact(
        first.words + joint + second.words, lambda b, g: first.holds(b, g) and second.holds(b, g)
    )
