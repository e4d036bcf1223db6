"""Chinese sentences about clips."""

from collections.abc import Sequence

from weft.worlds.clips.captions import Fact
from weft.worlds.scenes.chinese import phrase
from weft.worlds.scenes.world import Draws

_DIRECTIONS = {"left": "左", "right": "右", "up": "上", "down": "下"}
_MOVES = ("向{}移动", "往{}移动", "向{}走")
_VERBS = {
    "hits": ("撞上", "碰到", "撞到"),
    "appears": ("出现了", "冒了出来"),
    "disappears": ("消失了", "不见了"),
}
_TEMPLATES = {
    1: ("{0}。",),
    2: ("{0}，接着{1}。", "{0}之后，{1}。", "{0}，随后{1}。"),
    3: (
        "先是{0}，然后{1}，最后{2}。",
        "{0}，接着{1}，再后来{2}。",
        "首先{0}，随后{1}，最后{2}。",
        "{0}之后，{1}，最后{2}。",
    ),
}
"""Number of facts -> templates of sentences."""


def caption(facts: Sequence[Fact], draws: Draws) -> str:
    """One sentence that states up to three facts, in their order."""
    said = [clause(fact, draws) for fact in facts]
    return draws.pick(_TEMPLATES[len(said)]).format(*said)


def sentence(fact: Fact, draws: Draws) -> str:
    """One sentence that states one fact."""
    return clause(fact, draws) + "。"


def clause(fact: Fact, draws: Draws) -> str:
    """A clause that states one fact, such as 红色的大五角星向左移动."""
    who = phrase(fact.who, draws)
    if fact.direction is not None:
        return who + draws.pick(_MOVES).format(_DIRECTIONS[fact.direction])
    text = who + draws.pick(_VERBS[fact.kind])
    return text if fact.target is None else text + phrase(fact.target, draws)
