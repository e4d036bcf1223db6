"""Samples a clip: its objects, their places and their actions."""

from collections.abc import Sequence
from dataclasses import dataclass

from weft.worlds.clips.world import (
    DIRECTIONS,
    KINDS,
    OBJECTS,
    REST,
    TURN,
    Actor,
    Clip,
    Event,
    contact,
)
from weft.worlds.scenes.world import SIZES, TINTS, TURNS, Draws, Split, pairs_of

Point = tuple[float, float]
Path = tuple[Point, Point]
RADII = {"small": (0.095, 0.1, 0.105), "large": (0.15, 0.155, 0.16)}
_DISTANCES = (0.3, 0.34, 0.38)
"""Possible distances of a move, as shares of the side of the picture."""
_MARGIN = 0.015
_TRIES = 12
"""Number of places that are tried for an object before all objects are placed again."""
_APPROACH = 0.12
"""Least distance that an object moves before it touches the object that it hits."""


@dataclass(frozen=True)
class _Role:
    """The action of an object that has no place yet. slot: number of its turn."""

    kind: str
    slot: int
    target: int | None = None


def sample_clip(
    draws: Draws,
    split: Split,
    patterns: Sequence[str],
    colors: tuple[str, ...],
    shapes: tuple[str, ...],
) -> Clip:
    """Samples a clip whose three objects have different colours.

    The number of events of its topic is sampled first, uniformly. So every answer to "how many move?" is equally
    likely.
    """
    topic, count = draws.pick(KINDS), draws.below(OBJECTS + 1)
    looks = _looks(draws, split == "test_heldout", colors, shapes)
    roles = _roles(draws, topic, count)
    while (placed := _layout(draws, looks, roles)) is None:
        pass
    actors, events = placed
    tint, pattern = draws.pick(TINTS), draws.pick(patterns)
    events = tuple(sorted(events, key=lambda event: event.start))
    return Clip(actors, events, tint, pattern, topic, count, draws.unit())


def _looks(
    draws: Draws, held_out: bool, colors: tuple[str, ...], shapes: tuple[str, ...]
) -> list[tuple[str, str, str]]:
    """Colour, shape and size of each object. held_out: one of them has a held-out colour-shape pair."""
    seen, held = (pairs_of(colors, shapes, which) for which in (False, True))
    special = draws.below(OBJECTS) if held_out else None
    found: list[tuple[str, str, str]] = []
    for number in draws.sample(range(OBJECTS), OBJECTS):
        used = {color for color, _, _ in found}
        pool = held if number == special else seen
        color, shape = draws.pick([pair for pair in pool if pair[0] not in used])
        found.append((color, shape, draws.pick(SIZES)))
    return draws.sample(found, OBJECTS)


def _roles(draws: Draws, topic: str, count: int) -> list[_Role]:
    """`count` objects perform the topic's action, the others another one. Only visible objects are hit."""
    others = [kind for kind in KINDS if kind != topic]
    while True:
        kinds = [topic] * count + [draws.pick(others) for _ in range(OBJECTS - count)]
        kinds = draws.sample(kinds, OBJECTS)
        slots = draws.sample(range(OBJECTS), OBJECTS)
        roles = [_Role(kind, slot) for kind, slot in zip(kinds, slots, strict=True)]
        for number, role in enumerate(roles):
            if role.kind == "hits":
                there = [n for n in range(OBJECTS) if n != number and _seen(roles[n], role.slot)]
                target = draws.pick(there) if there else None
                roles[number] = _Role("hits", role.slot, target)
        if all(role.kind != "hits" or role.target is not None for role in roles):
            return roles


def _seen(role: _Role, slot: int) -> bool:
    """Whether an object with that role is visible during the whole turn of that number."""
    if role.kind == "appears":
        return role.slot < slot
    return role.kind != "disappears" or role.slot > slot


def _layout(
    draws: Draws, looks: Sequence[tuple[str, str, str]], roles: Sequence[_Role]
) -> tuple[tuple[Actor, ...], tuple[Event, ...]] | None:
    """Places the objects so that no paths cross, except of an object and the one that it hits; None if this fails."""
    placed: list[tuple[Actor, Event, Path]] = []
    for number, (look, role) in enumerate(zip(looks, roles, strict=True)):
        for _ in range(_TRIES):
            own, event, path = _placed(draws, look, role, number)
            if all(_apart(path, other, own.radius + its.radius) for its, _, other in placed):
                placed.append((own, event, path))
                break
        else:
            return None
    actors, events, paths = zip(*placed, strict=True)
    hits = (event for event in events if event.target is not None)
    return (actors, events) if all(_free(hit, actors, paths, roles) for hit in hits) else None


def _placed(
    draws: Draws, look: tuple[str, str, str], role: _Role, number: int
) -> tuple[Actor, Event, Path]:
    """Samples a place for the object. Returns the object, its event, and the straight path of its move."""
    color, shape, size = look
    radius = draws.pick(RADII[size])
    direction = draws.pick(tuple(DIRECTIONS)) if role.kind == "moves" else None
    distance = draws.pick(_DISTANCES) if direction else 0.0
    step_x, step_y = DIRECTIONS[direction] if direction else (0, 0)
    # The middle of a path has the same distribution for both directions.
    low_x, low_y = (radius + _MARGIN + distance / 2 * abs(step) for step in (step_x, step_y))
    x, y = draws.between(low_x, 1 - low_x), draws.between(low_y, 1 - low_y)
    start = x - step_x * distance / 2, y - step_y * distance / 2
    end = x + step_x * distance / 2, y + step_y * distance / 2
    actor = Actor(shape, color, size, *start, radius, draws.below(TURNS))
    begin = REST + role.slot * TURN
    return (
        actor,
        Event(role.kind, number, begin, direction, distance, role.target),
        (start, end),
    )


def _free(
    event: Event,
    actors: Sequence[Actor],
    paths: Sequence[Path],
    roles: Sequence[_Role],
) -> bool:
    """Whether the path to the object that is hit is long enough and does not touch the third object."""
    assert event.target is not None
    own, target = actors[event.actor], actors[event.target]
    is_past = roles[event.target].slot < roles[event.actor].slot
    touches = contact(own, target, paths[event.target][1 if is_past else 0])
    way = ((own.x - touches[0]) ** 2 + (own.y - touches[1]) ** 2) ** 0.5
    (third,) = {0, 1, 2} - {event.actor, event.target}
    clear = _apart(((own.x, own.y), touches), paths[third], own.radius + actors[third].radius)
    return way >= _APPROACH and clear


def _apart(one: Path, other: Path, least: float) -> bool:
    """Whether circles on two straight paths do not overlap, checked at five points of each path."""
    (ax, ay), (bx, by) = one
    (cx, cy), (dx, dy) = other
    squared = (least + _MARGIN) ** 2
    if one[0] == one[1] and other[0] == other[1]:
        return (ax - cx) ** 2 + (ay - cy) ** 2 >= squared
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    return all(
        (ax + s * (bx - ax) - cx - t * (dx - cx)) ** 2
        + (ay + s * (by - ay) - cy - t * (dy - cy)) ** 2
        >= squared
        for s in shares
        for t in shares
    )
