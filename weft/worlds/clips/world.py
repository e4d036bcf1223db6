"""The content of a clip: three objects. Each performs one action, one object after the other.

A clip and the same clip played backwards are equally likely: moving left becomes moving right, appearing becomes
disappearing, a hit stays a hit. So unordered frames do not tell which event came first, nor in which direction an
object moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from weft.worlds.scenes.world import Object, place

KINDS = ("moves", "hits", "appears", "disappears")
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
"""Direction -> step in x (to the right) and in y (down)."""

OBJECTS = 3
REST = 0.5
"""Seconds before the first event and after the last one."""
TURN = 1.0
"""Seconds of each event."""
SECONDS = 2 * REST + OBJECTS * TURN
_BEGIN, _TOUCH, _LEAVE, _END = 0.1, 0.4, 0.6, 0.9
"""Times within a turn: an object starts to move, touches the object that it hits, leaves it, and stops."""


@dataclass(frozen=True, slots=True)
class Actor:
    """An object. x, y: its place at the start, in [0, 1] from the left and the top. radius, turn: see `Object`."""

    shape: str
    color: str
    size: str
    x: float
    y: float
    radius: float
    turn: int


@dataclass(frozen=True, slots=True)
class Event:
    """The action of object number `actor`. start: of its turn, in seconds. direction, distance: of a move.

    target: number of the object that is hit.
    """

    kind: str
    actor: int
    start: float
    direction: str | None = None
    distance: float = 0.0
    target: int | None = None

    @property
    def moment(self) -> float:
        """Time of the event: the middle of its turn, in seconds."""
        return self.start + TURN / 2


@dataclass(frozen=True, slots=True)
class Clip:
    """events: one of each actor, in order of time. topic: a kind of event. topic_count: number of events of this kind;
    it was sampled first. grain: selects the noise.
    """

    actors: tuple[Actor, ...]
    events: tuple[Event, ...]
    tint: str
    pattern: str
    topic: str
    topic_count: int
    grain: float

    def event_of(self, actor: int) -> Event:
        """The event of that object."""
        return next(event for event in self.events if event.actor == actor)

    def is_seen(self, actor: int, time: float) -> bool:
        """Whether the object is visible at that time, in seconds."""
        event = self.event_of(actor)
        if event.kind == "appears":
            return time >= event.moment
        return event.kind != "disappears" or time <= event.moment

    def place_of(self, actor: int, time: float) -> tuple[float, float]:
        """x and y of the object's centre at that time, in seconds."""
        own, event = self.actors[actor], self.event_of(actor)
        within = (time - event.start) / TURN
        if event.kind == "moves" and event.direction is not None:
            share = _between(within, _BEGIN, _END) * event.distance
            step_x, step_y = DIRECTIONS[event.direction]
            return own.x + share * step_x, own.y + share * step_y
        if event.kind == "hits" and event.target is not None:
            share = _between(within, _BEGIN, _TOUCH) - _between(within, _LEAVE, _END)
            x, y = self.place_of(event.target, event.moment) if 0 < within < 1 else (own.x, own.y)
            reach_x, reach_y = contact(own, self.actors[event.target], (x, y))
            return own.x + share * (reach_x - own.x), own.y + share * (reach_y - own.y)
        return own.x, own.y

    def object_at(self, actor: int, time: float) -> Object:
        """The object at that time, with its box."""
        own, (x, y) = self.actors[actor], self.place_of(actor, time)
        return place(own.shape, own.color, own.size, x, y, own.radius, own.turn)

    def objects_at(self, time: float) -> Iterator[Object]:
        """The visible objects at that time, with their boxes."""
        for number in range(len(self.actors)):
            if self.is_seen(number, time):
                yield self.object_at(number, time)


def contact(own: Actor, other: Actor, at: tuple[float, float]) -> tuple[float, float]:
    """The centre of `own` when it has moved straight towards `other`, centred at `at`, and their circles touch."""
    x, y = at
    away = ((own.x - x) ** 2 + (own.y - y) ** 2) ** 0.5
    if away == 0:
        return own.x, own.y
    share = (own.radius + other.radius) / away
    return x + share * (own.x - x), y + share * (own.y - y)


def _between(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, linear in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
