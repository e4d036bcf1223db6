"""Dialogs about a scene: a question names one object, and those after it say "it", or less.

A topic begins with a question that the picture alone answers. What follows is understood by what was said before:
"What color is it?" after "Is there a star?", "And the ring?" after "What color is the star?". Nothing is asked that was
said before. As in `weft.worlds.scenes.questions`, the words do not give an answer away: colours and shapes are drawn
alike for all objects, and of yes and no the answer is drawn first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from weft.worlds.scenes.english import phrase, with_article
from weft.worlds.scenes.world import SIZES, Description, Draws, Object, Scene, region

TOPICS, MOST_FOLLOW_UPS = 2, 4
"""Topics of a dialog, and the most questions after the first one of a topic."""
DIALOG_TYPES = ("existence", "count", "color", "shape", "size", "place", "and")
"""Types of questions; `and` asks of another object what was asked last: "And the ring?"."""
_ABSENT, _COUNT, _EXISTENCE = 0.25, 0.05, 0.25
_WEIGHTS = {"color": 4, "shape": 4, "and": 4, "place": 1, "size": 1}
"""How likely the kinds of questions after the first one of a topic are, of those that can be asked."""
_OPENERS = ("other", "other", "place", "size")
"""What the first question of a topic asks, drawn from these: `other` is the shape of an object that its colour names, or the colour of
one that its shape names."""
_TRIED = 3
"""Kinds of questions that are tried; where none of them can be asked, nothing is."""
PLACES = (
    *("top left", "top", "top right", "left", "center", "right"),
    *("bottom left", "bottom", "bottom right"),
)
"""Where an object can be; of one near a border of two places this is not asked."""

Turn = dict[str, str]
Named = tuple[str, Object]
"""Whether its shape or its colour names an object, and the object."""


@dataclass
class _Talk:
    """What a dialog is about. thing: the object that is spoken of. known: object -> its attributes that were said. asked:
    what was asked last, and the word that was asked about: ("size", "large")."""

    scene: Scene
    draws: Draws
    thing: Object
    known: dict[Object, set[str]]
    asked: tuple[str, str] = ("", "")

    def told(self, attribute: str) -> bool:
        """Whether the attribute of the object was said; from now on it is."""
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
    """Objects that their shape alone, or their colour alone, tells from all others; each once a way."""
    return [
        (by, thing)
        for thing in scene.objects
        for by in ("shape", "color")
        if [getattr(other, by) for other in scene.objects].count(getattr(thing, by)) == 1
    ]


def _first(by: str, talk: _Talk) -> Turn:
    """A question that names the object by its shape or its colour."""
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
    """ "star", "red shape"."""
    return phrase(Description(**{by: value}))


def _is_there(words: str, truth: bool, draws: Draws) -> Turn:
    text = draws.pick((f"Is there {with_article(words)}?", f"Can you see {with_article(words)}?"))
    return _turn(text, _yes_or_no(truth), "existence", "picture")


def _absent(scene: Scene, draws: Draws) -> Turn:
    """Whether there is something of a shape or colour of which there is nothing."""
    by = draws.pick(("color", "shape"))
    here = {getattr(thing, by) for thing in scene.objects}
    values = scene.colors if by == "color" else scene.shapes
    return _is_there(_kind(by, draws.pick([v for v in values if v not in here])), False, draws)


def _count(scene: Scene) -> Turn:
    """How many there are of the scene's topic, whose number was drawn first."""
    text = f"How many {phrase(scene.topic, 2)} are there?"
    return _turn(text, str(scene.topic_count), "count", "picture")


def _follow_ups(talk: _Talk) -> Iterator[Turn]:
    """Questions that are understood by what was said."""
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
    """What was asked last, of another object, which is spoken of from then on."""
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
    """What is said of the object; empty where it is not clear."""
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
    """Every answer of a world of these colours and shapes."""
    return ("yes", "no", "0", "1", "2", "3", *colors, *shapes, *PLACES)
