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
_TEMPLATES = {
    1: ("{0}",),
    2: ("{0}, then {1}", "{0}; after that {1}", "{0} before {1}"),
    3: (
        "first {0}, then {1}, and finally {2}",
        "{0}, then {1}, then {2}",
        "{0}; after that {1}; in the end {2}",
        "at first {0}; next {1}, and last {2}",
        "{0} before {1}, and then {2}",
    ),
}
"""Number of facts -> templates of sentences. With fewer than three facts, they do not say "first" or "last"."""


def caption(facts: Sequence[Fact], draws: Draws) -> str:
    """One sentence that states up to three facts, in their order."""
    said = [clause(fact, draws) for fact in facts]
    text = draws.pick(_TEMPLATES[len(said)]).format(*said)
    return text[0].upper() + text[1:] + "."


def sentence(fact: Fact, draws: Draws) -> str:
    """One sentence that states one fact."""
    text = clause(fact, draws)
    return text[0].upper() + text[1:] + "."


def clause(fact: Fact, draws: Draws) -> str:
    """A clause that states one fact, such as "the large red star moves to the left"."""
    text = f"{_the(fact.who, draws)} {draws.pick(_VERBS[fact.kind])}"
    if fact.direction is not None:
        text += f" {draws.pick(_DIRECTIONS[fact.direction])}"
    return text if fact.target is None else f"{text} {_the(fact.target, draws)}"


def _the(what: Description, draws: Draws) -> str:
    return "the " + phrase(what, size=draws.pick(_SIZES[what.size]) if what.size else None)
