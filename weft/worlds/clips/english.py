"""English sentences about clips."""

from collections.abc import Sequence

from weft.worlds.clips.captions import Fact
from weft.worlds.scenes.english import phrase
from weft.worlds.scenes.world import Description, Draws

_SIZES = {"small": ("small", "little"), "large": ("large", "big")}
_DIRECTIONS = {
    "left": ("left", "to the left"),
    "right": ("right", "to the right"),
    "up": ("up", "upwards"),
    "down": ("down", "downwards"),
}
_VERBS = {
    "moves": ("moves", "goes", "travels"),
    "hits": ("hits", "bumps into", "strikes"),
    "appears": ("appears", "shows up", "comes into view"),
    "disappears": ("disappears", "vanishes", "goes out of sight"),
}


def caption(facts: Sequence[Fact], draws: Draws) -> str:
    """One sentence that says all facts in their order."""
    one, two, three = (clause(fact, draws) for fact in facts)
    text = draws.pick(
        (
            f"first {one}, then {two}, and finally {three}",
            f"{one}, then {two}, then {three}",
            f"{one}; after that {two}; in the end {three}",
            f"at first {one}; next {two}, and last {three}",
            f"{one} before {two}, and then {three}",
        )
    )
    return text[0].upper() + text[1:] + "."


def sentence(fact: Fact, draws: Draws) -> str:
    """One sentence that says one fact."""
    text = clause(fact, draws)
    return text[0].upper() + text[1:] + "."


def clause(fact: Fact, draws: Draws) -> str:
    """ "the large red star moves to the left"."""
    text = f"{_the(fact.who, draws)} {draws.pick(_VERBS[fact.kind])}"
    if fact.direction is not None:
        text += f" {draws.pick(_DIRECTIONS[fact.direction])}"
    return text if fact.target is None else f"{text} {_the(fact.target, draws)}"


def _the(what: Description, draws: Draws) -> str:
    return "the " + phrase(what, size=draws.pick(_SIZES[what.size]) if what.size else None)
