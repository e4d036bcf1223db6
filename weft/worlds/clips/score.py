"""The sound of a clip: what is heard of each of its events, and of the objects that are there at the start.

At the start every object that is there sounds once, from left to right: so many notes as objects. An object that
moves sounds four times, one that appears short and long, one that disappears long and short; one that hits another
sounds once, and the one that is hit answers.
"""

from collections.abc import Iterator

from weft.worlds.clips.world import REST, Clip
from weft.worlds.sounds import Note

_FIRST = 0.14
"""Seconds from one note to the next before the first event."""
_RHYTHMS = {
    "moves": ((0.08, 0.12), (0.3, 0.12), (0.52, 0.12), (0.74, 0.12)),
    "appears": ((0.3, 0.1), (0.5, 0.36)),
    "disappears": ((0.14, 0.36), (0.6, 0.1)),
    "hits": ((0.3, 0.1), (0.42, 0.3)),
}
"""Kind -> start, within the turn, and length of each note, in seconds. The second note of a hit is that of the one
that is hit."""


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
