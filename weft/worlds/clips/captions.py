"""What a caption says of a clip, in no language: all of its events in their order."""

from dataclasses import dataclass

from weft.worlds.clips.world import Clip
from weft.worlds.scenes.world import Description


@dataclass(frozen=True)
class Fact:
    """What an object does. direction: of a move. target: the one that is hit."""

    who: Description
    kind: str
    direction: str | None = None
    target: Description | None = None


def plan(clip: Clip) -> tuple[Fact, ...]:
    """The events in order of time."""
    looks = [Description(own.size, own.color, own.shape) for own in clip.actors]
    return tuple(
        Fact(
            looks[event.actor],
            event.kind,
            event.direction,
            None if event.target is None else looks[event.target],
        )
        for event in clip.events
    )
