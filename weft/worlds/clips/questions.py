"""Questions about a clip whose words do not give the answer away.

The direction of a move, whether an object appeared or disappeared, and which event came first can be seen only from
the order of the frames.

Questions about time and order concern only moves and hits. For objects that appear or disappear, unordered frames
would give the answer: some frames show both objects and some show one.
"""

from collections.abc import Callable, Sequence

from weft.worlds.clips.world import DIRECTIONS, KINDS, OBJECTS, Clip, Event
from weft.worlds.scenes.world import COLORS, SHAPES, Draws

QUESTION_TYPES = ("action", "direction", "count", "order", "color", "shape", "time")
TIMES = ("first", "second", "last")
"""Answers to "When ...?": the position of the event among the events of the clip."""
ANSWERS = (
    *KINDS,
    *DIRECTIONS,
    *map(str, range(OBJECTS + 1)),
    "yes",
    "no",
    *COLORS,
    *SHAPES,
    *TIMES,
)
"""All possible answers."""
ORDERED = ("moves", "hits")
"""Kinds of events with questions about their time and their order."""

Question = tuple[str, str]
_BARE = {
    "moves": "move",
    "hits": "hit another shape",
    "appears": "appear",
    "disappears": "disappear",
}


def questions(
    clip: Clip, draws: Draws, types: Sequence[str] = QUESTION_TYPES
) -> list[dict[str, str]]:
    """Up to one question for each of the types, all different: {"question", "answer", "type"}."""
    rows = []
    for kind in types:
        asked = _ASKERS[kind](clip, draws)
        row = asked and {"question": asked[0], "answer": asked[1], "type": kind}
        if row and row not in rows:
            rows.append(row)
    return rows


def _the(clip: Clip, event: Event) -> str:
    own = clip.actors[event.actor]
    return f"the {own.color} {own.shape}"


def _action(clip: Clip, draws: Draws) -> Question:
    event = draws.pick(clip.events)
    return f"What does {_the(clip, event)} do?", event.kind


def _direction(clip: Clip, draws: Draws) -> Question | None:
    moves = [event for event in clip.events if event.direction is not None]
    if not moves:
        return None
    event = draws.pick(moves)
    return f"Which way does {_the(clip, event)} move?", event.direction or ""


def _count(clip: Clip, draws: Draws) -> Question:
    what = _BARE[clip.topic]
    text = draws.pick((f"How many shapes {what}?", f"What is the number of shapes that {what}?"))
    return text, str(clip.topic_count)


def _order(clip: Clip, draws: Draws) -> Question | None:
    """Asks whether one event comes before or after another."""
    events = _ordered(clip)
    if len(events) < 2:
        return None
    first, second = draws.sample(events, 2)
    word = draws.pick(("before", "after"))
    truth = (first.start < second.start) == (word == "before")
    one = f"{_the(clip, first)} {_does(first)}"
    other = f"{_the(clip, second)} {second.kind}"
    return f"Does {one} {word} {other}?", "yes" if truth else "no"


def _time(clip: Clip, draws: Draws) -> Question | None:
    """Asks whether an event is the first, the second or the last."""
    events = _ordered(clip)
    if not events:
        return None
    event = draws.pick(events)
    return f"When does {_the(clip, event)} {_does(event)}?", TIMES[clip.events.index(event)]


def _ordered(clip: Clip) -> list[Event]:
    return [event for event in clip.events if event.kind in ORDERED]


def _does(event: Event) -> str:
    """The verb of the event: move, hit."""
    return _BARE[event.kind].replace(" another shape", "")


def _color(clip: Clip, draws: Draws) -> Question | None:
    found = _alone(clip, draws)
    return found and (f"What color is the shape that {found[0]}?", clip.actors[found[1]].color)


def _shape(clip: Clip, draws: Draws) -> Question | None:
    found = _alone(clip, draws)
    return found and (f"What shape is the object that {found[0]}?", clip.actors[found[1]].shape)


def _alone(clip: Clip, draws: Draws) -> tuple[str, int] | None:
    """An action that only one object performs, and the number of that object; None if there is none."""
    said: dict[str, list[int]] = {}
    for event in clip.events:
        words = "hits another shape" if event.kind == "hits" else event.kind
        for text in (words, f"moves {event.direction}") if event.direction else (words,):
            said.setdefault(text, []).append(event.actor)
    alone = [(text, actors[0]) for text, actors in said.items() if len(actors) == 1]
    return draws.pick(alone) if alone else None


_ASKERS: dict[str, Callable[[Clip, Draws], Question | None]] = {
    "action": _action,
    "direction": _direction,
    "count": _count,
    "order": _order,
    "color": _color,
    "shape": _shape,
    "time": _time,
}
