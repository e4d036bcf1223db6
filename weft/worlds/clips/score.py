"""The sound of a clip: notes for its events, and for the objects that are visible at the start.

- Start: one note for each visible object, from left to right.
- An object moves: four notes.
- An object appears: a short and a long note. It disappears: a long and a short note.
- An object hits another: one note of each, first of the object that hits.
"""

from collections.abc import Iterator

from weft.worlds.clips.world import REST, Clip
from weft.worlds.sounds import Note

_FIRST = 0.14
"""Seconds between the starts of two notes before the first event."""
_RHYTHMS = {
    "moves": ((0.08, 0.12), (0.3, 0.12), (0.52, 0.12), (0.74, 0.12)),
    "appears": ((0.3, 0.1), (0.5, 0.36)),
    "disappears": ((0.14, 0.36), (0.6, 0.1)),
    "hits": ((0.3, 0.1), (0.42, 0.3)),
}
"""Kind of event -> (start within the turn, length) of each note, in seconds. The second note of a hit is that of the
object that is hit."""


def score(clip: Clip) -> Iterator[Note]:
    """The notes in order of time."""
    seen = [number for number in range(len(clip.actors)) if clip.is_seen(number, 0.0)]
    for place, number in enumerate(sorted(seen, key=lambda n: clip.actors[n].x)):
        yield _note(clip, number, 0.03 + place * _FIRST, 0.1)
    for event in clip.events:
        for place, (start, seconds) in enumerate(_RHYTHMS[event.kind]):
            answers = event.target is not None and place == 1
            who = event.target if answers and event.target is not None else event.actor
            yield _note(clip, who, event.start + start, seconds)


def _note(clip: Clip, actor: int, start: float, seconds: float) -> Note:
    assert start >= REST or start + seconds <= REST
    own = clip.actors[actor]
    return Note(start, seconds, own.shape, own.color, own.size)
