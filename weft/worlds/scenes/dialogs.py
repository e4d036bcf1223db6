"""Dialogs about a scene: a question names one object, and the next questions say "it", or less.

A topic begins with a question that needs only the picture. Its follow-up questions need the turns before: "What color
is it?" after "Is there a star?", "And the ring?" after "What color is the star?". No question asks for a fact that was
stated before.

As in `weft.worlds.scenes.questions`, the words do not give an answer away: colours and shapes have the same
distribution for all objects, and for yes-or-no questions the answer is sampled first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from weft.worlds.scenes.english import phrase, with_article
from weft.worlds.scenes.world import SIZES, Description, Draws, Object, Scene, region

TOPICS, MOST_FOLLOW_UPS = 2, 4
"""Number of topics of a dialog; largest number of follow-up questions of a topic."""
DIALOG_TYPES = ("existence", "count", "color", "shape", "size", "place", "and")
"""Types of questions. `and` repeats the last question for another object: "And the ring?"."""
_ABSENT, _COUNT, _EXISTENCE = 0.25, 0.05, 0.25
_WEIGHTS = {"color": 4, "shape": 4, "and": 4, "place": 1, "size": 1}
"""Sampling weights of the kinds of follow-up questions, among those that can be asked."""
_OPENERS = ("other", "other", "place", "size")
"""The first question of a topic asks for one of these, sampled uniformly. `other`: the shape of an object that is named
by its colour, or the colour of one that is named by its shape."""
_TRIED = 3
"""Number of kinds that are tried for a follow-up question. If none of them can be asked, there is no question."""
PLACES = (
    *("top left", "top", "top right", "left", "center", "right"),
    *("bottom left", "bottom", "bottom right"),
)
"""Answers to where an object is. This is not asked about an object near the border of two places."""

Turn = dict[str, str]
Named = tuple[str, Object]
"""("shape" or "color", object): the attribute that names the object."""


@dataclass
class _Talk:
    """State of a dialog. thing: the current object ("it"). known: object -> its attributes that were stated. asked: the
    attribute of the last question, and the word in it, if any: ("size", "large")."""

    scene: Scene
    draws: Draws
    thing: Object
    known: dict[Object, set[str]]
    asked: tuple[str, str] = ("", "")

    def told(self, attribute: str) -> bool:
        """Whether the attribute of the current object was stated before. Marks it as stated."""
        before = attribute in self.known[self.thing]
        self.known[self.thing].add(attribute)
        return before


def dialog(scene: Scene, draws: Draws) -> list[Turn]:
    """The turns: {"question", "answer", "type", "needs"}; needs is "history" or "picture"."""
    turns: list[Turn] = []
    known: dict[Object, set[str]] = {thing: set() for thing in scene.objects}
    for _ in range(TOPICS):
        new = [(by, thing) for by, thing in _only_ones(scene) if not known[thing]]
        if not new:
            break
        by, thing = draws.pick(new)
        chance = draws.unit()
        if chance < _ABSENT:
            turns.append(_absent(scene, draws))
        elif chance < _ABSENT + _COUNT:
            turns.append(_count(scene))
        talk = _Talk(scene, draws, thing, known)
        turns.append(_first(by, talk))
        turns += _follow_ups(talk)
    return turns


def _only_ones(scene: Scene) -> list[Named]:
    """Objects whose shape alone, or colour alone, is unique in the scene; once for each such attribute."""
    return [
        (by, thing)
        for thing in scene.objects
        for by in ("shape", "color")
        if [getattr(other, by) for other in scene.objects].count(getattr(thing, by)) == 1
    ]


def _first(by: str, talk: _Talk) -> Turn:
    """The first question of a topic, which names the object by its shape or its colour."""
    words = _kind(by, getattr(talk.thing, by))
    talk.told(by)
    if talk.draws.unit() < _EXISTENCE:
        return _is_there(words, True, talk.draws)
    name = words.removesuffix("shape") + "object" if by == "color" else words
    asked = talk.draws.pick(_OPENERS)
    turn = None if asked == "other" else _ASKERS[asked](talk)
    if turn is not None:
        text = turn["question"].replace("it", f"the {name}", 1)
        return _turn(text, turn["answer"], turn["type"], "picture")
    asked = "color" if by == "shape" else "shape"
    talk.told(asked)
    talk.asked = (asked, "")
    return _turn(f"What {asked} is the {name}?", getattr(talk.thing, asked), asked, "picture")


def _kind(by: str, value: str) -> str:
    """The noun for that shape or colour: "star", "red shape"."""
    return phrase(Description(**{by: value}))


def _is_there(words: str, truth: bool, draws: Draws) -> Turn:
    text = draws.pick((f"Is there {with_article(words)}?", f"Can you see {with_article(words)}?"))
    return _turn(text, _yes_or_no(truth), "existence", "picture")


def _absent(scene: Scene, draws: Draws) -> Turn:
    """Asks whether there is an object of a shape or colour that the scene lacks."""
    by = draws.pick(("color", "shape"))
    here = {getattr(thing, by) for thing in scene.objects}
    values = scene.colors if by == "color" else scene.shapes
    return _is_there(_kind(by, draws.pick([v for v in values if v not in here])), False, draws)


def _count(scene: Scene) -> Turn:
    """Asks for the number of objects of the scene's topic, which was sampled first."""
    text = f"How many {phrase(scene.topic, 2)} are there?"
    return _turn(text, str(scene.topic_count), "count", "picture")


def _follow_ups(talk: _Talk) -> Iterator[Turn]:
    """Yields follow-up questions, which need the turns before."""
    for _ in range(1 + talk.draws.below(MOST_FOLLOW_UPS)):
        kinds = [kind for kind, weight in _WEIGHTS.items() for _ in range(weight)]
        drawn = dict.fromkeys(talk.draws.sample(kinds, len(kinds)))
        for kind in list(drawn)[:_TRIED]:
            turn = _ASKERS[kind](talk)
            if turn is not None:
                yield turn
                break


def _attribute(name: str) -> Callable[[_Talk], Turn | None]:
    def ask(talk: _Talk) -> Turn | None:
        if talk.told(name):
            return None
        talk.asked = (name, "")
        text = talk.draws.pick((f"What {name} is it?", f"What is its {name}?"))
        return _turn(text, getattr(talk.thing, name), name)

    return ask


def _size(talk: _Talk) -> Turn | None:
    if talk.told("size"):
        return None
    truth, size = talk.draws.unit() < 0.5, talk.thing.size
    word = next(other for other in SIZES if (other == size) == truth)
    talk.asked = ("size", word)
    return _turn(f"Is it {word}?", _yes_or_no(truth), "size")


def _place(talk: _Talk) -> Turn | None:
    place = region(talk.thing)
    if place is None or talk.told("place"):
        return None
    talk.asked = ("place", "")
    return _turn(talk.draws.pick(("Where is it?", "In which place is it?")), place, "place")


def _and(talk: _Talk) -> Turn | None:
    """Repeats the last question for another object, which becomes the current one."""
    asked, word = talk.asked
    if not asked:
        return None
    others = [
        (by, thing, _answer(thing, asked, word))
        for by, thing in _only_ones(talk.scene)
        if thing is not talk.thing and by != asked and asked not in talk.known[thing]
    ]
    said = _yes_or_no(talk.draws.unit() < 0.5)
    others = [one for one in others if one[2] == said or (one[2] and not word)]
    if not others:
        return None
    by, talk.thing, answer = talk.draws.pick(others)
    talk.known[talk.thing] |= {by, asked}
    value = getattr(talk.thing, by)
    return _turn(f"And the {value if by == 'shape' else f'{value} one'}?", answer, "and")


def _answer(thing: Object, asked: str, word: str) -> str:
    """The answer for the object; empty if it is not clear-cut."""
    if asked == "place":
        return region(thing) or ""
    return _yes_or_no(thing.size == word) if asked == "size" else str(getattr(thing, asked))


def _turn(question: str, answer: str, kind: str, needs: str = "history") -> Turn:
    return {"question": question, "answer": answer, "type": kind, "needs": needs}


def _yes_or_no(truth: bool) -> str:
    return "yes" if truth else "no"


_ASKERS: dict[str, Callable[[_Talk], Turn | None]] = {
    "color": _attribute("color"),
    "shape": _attribute("shape"),
    "place": _place,
    "size": _size,
    "and": _and,
}


def answers_of(colors: Sequence[str], shapes: Sequence[str]) -> tuple[str, ...]:
    """All answers of a world with these colours and shapes."""
    return ("yes", "no", "0", "1", "2", "3", *colors, *shapes, *PLACES)
