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


def caption(facts: Sequence[Fact], draws: Draws) -> str:
    """One sentence that says all facts in their order."""
    one, two, three = (clause(fact, draws) for fact in facts)
    return draws.pick(
        (
            f"先是{one}，然后{two}，最后{three}。",
            f"{one}，接着{two}，再后来{three}。",
            f"首先{one}，随后{two}，最后{three}。",
            f"{one}之后，{two}，最后{three}。",
        )
    )


def sentence(fact: Fact, draws: Draws) -> str:
    """One sentence that says one fact."""
    return clause(fact, draws) + "。"


def clause(fact: Fact, draws: Draws) -> str:
    """红色的大五角星向左移动."""
    who = phrase(fact.who, draws)
    if fact.direction is not None:
        return who + draws.pick(_MOVES).format(_DIRECTIONS[fact.direction])
    text = who + draws.pick(_VERBS[fact.kind])
    return text if fact.target is None else text + phrase(fact.target, draws)
