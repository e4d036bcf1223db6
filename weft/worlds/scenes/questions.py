"""Questions about a scene whose words do not give the answer away.

- The answer is sampled first, uniformly, and then a question with that answer.
- If a scene has no question with one of the answers of a type, the type is left out for all its answers.
- Colours, shapes, sizes and places have the same distribution for all objects. So every answer to the same
  words is equally likely.
- The words for an object match only this object of the scene.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, permutations

from weft.worlds.scenes.english import RELATION_WORDS, phrase, with_article
from weft.worlds.scenes.world import (
    COLORS,
    HELD_OUT,
    RELATIONS,
    SHAPES,
    Description,
    Draws,
    Object,
    Scene,
    pairs_of,
    relation,
)

QUESTION_TYPES = ("existence", "count", "color", "shape", "comparison", "spatial")
ANSWERS = ("yes", "no", "0", "1", "2", "3", *COLORS, *SHAPES, *RELATIONS)
"""All possible answers."""

Question = tuple[str, str]
Named = tuple[str, Object]
NamedPair = tuple[Named, Named]
_OUTERMOST = 0.1
"""Least distance between an outermost object and the next one, as a share of the side of the picture."""


def questions(
    scene: Scene, draws: Draws, types: Sequence[str] = QUESTION_TYPES, outermost: bool = True
) -> list[dict[str, str]]:
    """Up to one question for each of the types: {"question", "answer", "type"}.

    outermost: some ask about the leftmost, rightmost, topmost or bottommost shape.
    """
    rows = []
    for kind in types:
        if kind in ("color", "shape"):
            asked = _attribute(scene, draws, kind, outermost)
        else:
            asked = _ASKERS[kind](scene, draws)
        if asked is not None:
            rows.append({"question": asked[0], "answer": asked[1], "type": kind})
    return rows


def _existence(scene: Scene, draws: Draws) -> Question | None:
    truth = draws.unit() < 0.5
    present = {(t.color, t.shape) for t in scene.objects}
    kind = draws.below(4)
    if kind < 2:
        place, values = (0, scene.colors) if kind == 0 else (1, scene.shapes)
        here = {pair[place] for pair in present}
        value = draws.pick([v for v in values if (v in here) == truth])
        what = Description(color=value) if kind == 0 else Description(shape=value)
    else:
        color, shape = _existing_pair(scene, truth, draws)
        what = Description(color=color, shape=shape)
    words = phrase(what)
    one, some = with_article(words), phrase(what, 2)
    text = draws.pick(
        (f"Is there {one}?", f"Are there any {some}?", f"Does the picture show {one}?")
    )
    return text, _yes_or_no(truth)


def _existing_pair(scene: Scene, truth: bool, draws: Draws) -> tuple[str, str]:
    """A colour-shape pair. truth: it is in the scene; otherwise only its colour and its shape are, if possible.

    Held-out pairs are asked about only if the scene has some, and then half of the time.
    """
    present = {(t.color, t.shape) for t in scene.objects}
    held_out = present & HELD_OUT
    asks_held_out = bool(held_out) and draws.unit() < 0.5
    pairs = pairs_of(scene.colors, scene.shapes, asks_held_out)
    pairs = tuple(sorted(pairs)) if asks_held_out else pairs
    candidates = [pair for pair in pairs if (pair in present) == truth]
    if not truth:
        colors, shapes = {c for c, _ in present}, {s for _, s in present}
        candidates = [(c, s) for c, s in candidates if c in colors and s in shapes] or candidates
    # A scene with only held-out pairs has no other pair for the answer yes.
    return draws.pick(candidates or sorted(held_out))


def _count(scene: Scene, draws: Draws) -> Question | None:
    words = phrase(scene.topic, 2)
    text = draws.pick((f"How many {words} are there?", f"What is the number of {words}?"))
    return text, str(scene.topic_count)


def _attribute(scene: Scene, draws: Draws, asked: str, outermost: bool) -> Question | None:
    """Asks for the colour or the shape of an outermost object, or of an object that its description identifies."""
    referents: list[Named] = []
    if outermost and draws.unit() < 0.5:
        referents = _outermost(scene)
    if not referents:
        for thing in scene.objects:
            known = thing.shape if asked == "color" else thing.color
            for size in (None, thing.size):
                what = (
                    Description(size=size, shape=known)
                    if asked == "color"
                    else Description(size=size, color=known)
                )
                if what.count(scene.objects) == 1:
                    referents.append((phrase(what), thing))
    if not referents:
        return None
    words, thing = draws.pick(referents)
    if asked == "color":
        text = draws.pick((f"What color is the {words}?", f"What is the color of the {words}?"))
        return text, thing.color
    words = words.removesuffix("shape") + "object"
    return draws.pick((f"What shape is the {words}?", f"What is the shape of the {words}?")), (
        thing.shape
    )


def _outermost(scene: Scene) -> list[Named]:
    found = []
    for word, axis, sign in (
        ("leftmost", 0, 1),
        ("rightmost", 0, -1),
        ("topmost", 1, 1),
        ("bottommost", 1, -1),
    ):
        first, second = sorted(scene.objects, key=lambda t: sign * t.center[axis])[:2]
        if abs(first.center[axis] - second.center[axis]) >= _OUTERMOST:
            found.append((f"{word} shape", first))
    return found


def _named(scene: Scene) -> list[Named]:
    """Objects whose pair of colour and shape is unique in the scene, with their names."""
    found = []
    for thing in scene.objects:
        what = Description(color=thing.color, shape=thing.shape)
        if what.count(scene.objects) == 1:
            found.append((phrase(what), thing))
    return found


def _comparison(scene: Scene, draws: Draws) -> Question | None:
    """Compares sizes or numbers. Whether a scene allows a comparison does not depend on the answer."""
    named = list(permutations(_named(scene), 2))
    for ask in draws.sample((_same_size, _bigger, _more), 3):
        asked = ask(scene, named, draws)
        if asked is not None:
            return asked
    return None


def _same_size(scene: Scene, named: list[NamedPair], draws: Draws) -> Question | None:  # noqa: ARG001
    equal = [(a, b) for (a, x), (b, y) in named if x.size == y.size]
    unequal = [(a, b) for (a, x), (b, y) in named if x.size != y.size]
    if not equal or not unequal:
        return None
    truth = draws.unit() < 0.5
    a, b = draws.pick(equal if truth else unequal)
    return f"Is the {a} the same size as the {b}?", _yes_or_no(truth)


def _bigger(scene: Scene, named: list[NamedPair], draws: Draws) -> Question | None:  # noqa: ARG001
    truth = draws.unit() < 0.5
    word, size = draws.pick((("larger", "large"), ("smaller", "small")))
    fitting = [(a, b) for (a, x), (b, y) in named if x.size != y.size and (x.size == size) == truth]
    if not fitting:
        return None
    a, b = draws.pick(fitting)
    return f"Is the {a} {word} than the {b}?", _yes_or_no(truth)


def _more(scene: Scene, named: list[NamedPair], draws: Draws) -> Question | None:  # noqa: ARG001
    """Asks whether there are more (or fewer) objects of one colour than of another, or of one shape."""
    truth, word = draws.unit() < 0.5, draws.pick(("more", "fewer"))
    if draws.unit() < 0.5:
        kinds = [Description(color=c) for c in COLORS]
    else:
        kinds = [Description(shape=s) for s in SHAPES]
    counts = {k: n for k in kinds if (n := k.count(scene.objects))}
    fitting = [
        (a, b)
        for a, b in permutations(counts, 2)
        if counts[a] != counts[b] and (counts[a] > counts[b]) == ((word == "more") == truth)
    ]
    if not fitting:
        return None
    a, b = draws.pick(fitting)
    return f"Are there {word} {phrase(a, 2)} than {phrase(b, 2)}?", _yes_or_no(truth)


def _spatial(scene: Scene, draws: Draws) -> Question | None:
    """Asks for the position of one object relative to another, or whether a position is right."""
    related = [
        (a, how, b)
        for (a, x), (b, y) in combinations(_named(scene), 2)
        if (how := relation(x, y)) is not None
    ]
    if not related:
        return None
    a, how, b = draws.pick(related)
    if draws.unit() < 0.5:
        a, how, b = b, _OPPOSITE[how], a
    if draws.unit() < 0.5:
        return f"Where is the {a} relative to the {b}?", how
    truth = draws.unit() < 0.5
    asked = how if truth else _OPPOSITE[how]
    return f"Is the {a} {RELATION_WORDS[asked][0]} the {b}?", _yes_or_no(truth)


_OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


def _yes_or_no(truth: bool) -> str:
    return "yes" if truth else "no"


_ASKERS: dict[str, Callable[[Scene, Draws], Question | None]] = {
    "existence": _existence,
    "count": _count,
    "comparison": _comparison,
    "spatial": _spatial,
}
