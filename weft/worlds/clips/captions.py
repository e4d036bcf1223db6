"""The content of a caption of a clip, independent of language: all or some of its events, in order of time."""

from collections.abc import Sequence
from dataclasses import dataclass

from weft.worlds.clips.world import Clip
from weft.worlds.scenes.world import Description, Draws


@dataclass(frozen=True)
class Fact:
    """An action of an object. direction: of a move. target: the object that is hit."""

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


def some(facts: Sequence[Fact], count: int, draws: Draws) -> Sequence[Fact]:
    """Samples `count` of the facts without replacement; keeps their order."""
    if count == len(facts):
        return facts
    kept = sorted(draws.sample(range(len(facts)), count))
    return [facts[number] for number in kept]
