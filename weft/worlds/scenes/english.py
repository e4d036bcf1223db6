"""English captions from plans."""

from collections.abc import Sequence

from weft.worlds.scenes.captions import Count, Plan
from weft.worlds.scenes.world import Description, Draws

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
_SIZES = {"small": ("small", "small", "little"), "large": ("large", "large", "big")}
_PLACES = {
    "top left": ("in the top left corner", "at the top left", "in the upper left"),
    "top": ("at the top", "near the top edge"),
    "top right": ("in the top right corner", "at the top right", "in the upper right"),
    "left": ("on the left", "on the left side"),
    "center": ("in the center", "in the middle"),
    "right": ("on the right", "on the right side"),
    "bottom left": ("in the bottom left corner", "at the bottom left", "in the lower left"),
    "bottom": ("at the bottom", "near the bottom edge"),
    "bottom right": ("in the bottom right corner", "at the bottom right", "in the lower right"),
}
RELATION_WORDS = {
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "higher than"),
    "below": ("below", "lower than"),
}
_VERBS = ("is", "sits", "lies")


def caption(plan: Plan, draws: Draws) -> str:
    """One or two sentences that state the content of the plan."""
    text = {
        "listing": _listing,
        "located": _located,
        "related": _related,
        "counted": _counted,
        "setting": _setting,
    }[plan.kind](plan, draws)
    return text[0].upper() + text[1:] + "."


def phrase(what: Description, number: int = 1, size: str | None = None) -> str:
    """Size, colour and noun: "large red star", "red shapes"."""
    noun = what.shape or "shape"
    if number != 1:
        noun += "es" if noun == "cross" else "s"
    return " ".join(filter(None, (size or what.size, what.color, noun)))


def with_article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _named(what: Description, draws: Draws, number: int = 1) -> str:
    return phrase(what, number, draws.pick(_SIZES[what.size]) if what.size else None)


def _some(count: Count, draws: Draws) -> str:
    words = _named(count.what, draws, count.number)
    return with_article(words) if count.number == 1 else f"{NUMBERS[count.number]} {words}"


def _some_of(counts: Sequence[Count], draws: Draws) -> str:
    return join([_some(count, draws) for count in counts])


def _there(counts: Sequence[Count]) -> str:
    """ "There is a star and ...", "there are two stars and ..."."""
    return "there is" if counts[0].number == 1 else "there are"


def _be(counts: Sequence[Count]) -> str:
    """ "Among them are a star and a ring", "among them is a star"."""
    return "is" if len(counts) == 1 and counts[0].number == 1 else "are"


def _backdrop(backdrop: tuple[str, str], draws: Draws) -> str:
    words = " ".join(backdrop)
    return with_article(f"{words} {draws.pick(('background', 'backdrop'))}")


def _listing(plan: Plan, draws: Draws) -> str:
    things = _some_of(plan.counts, draws)
    text = draws.pick(
        (
            things,
            f"a picture of {things}",
            f"{_there(plan.counts)} {things}",
            f"the picture shows {things}",
            f"one can see {things}",
            f"an image with {things}",
        )
    )
    return text if plan.backdrop is None else f"{text} on {_backdrop(plan.backdrop, draws)}"


def _located(plan: Plan, draws: Draws) -> str:
    place_first = draws.unit() < 0.3
    parts = []
    for fact in plan.located:
        thing, place = with_article(_named(fact.what, draws)), draws.pick(_PLACES[fact.region])
        parts.append(
            f"{place} is {thing}" if place_first else f"{thing} {draws.pick(_VERBS)} {place}"
        )
    text = join(parts)
    return text if plan.backdrop is None else f"{text}, on {_backdrop(plan.backdrop, draws)}"


def _related(plan: Plan, draws: Draws) -> str:
    parts = [
        f"the {_named(fact.what, draws)} {draws.pick(_VERBS)} "
        f"{draws.pick(RELATION_WORDS[fact.relation])} the {_named(fact.other, draws)}"
        for fact in plan.related
    ]
    return draws.pick((", and ", "; ", ", while ")).join(parts)


def _counted(plan: Plan, draws: Draws) -> str:
    total, things = NUMBERS[plan.total or 0], _some_of(plan.counts, draws)
    share = ""
    if plan.share is not None:
        what, number = plan.share.what, plan.share.number
        share = f"{NUMBERS[number]} of them {what.color or phrase(what, number)}"
    if draws.unit() < 0.5:
        seen = draws.pick(("one can see", "we see", "the picture shows"))
        return f"there are {total} shapes{share and ', ' + share}; {seen} {things}"
    among = draws.pick(("among them", f"among the {total}"))
    return f"{total} shapes{share and ', ' + share}: {among} {_be(plan.counts)} {things}"


def _setting(plan: Plan, draws: Draws) -> str:
    assert plan.backdrop is not None
    backdrop = _backdrop(plan.backdrop, draws)
    if plan.covers is None:
        things = _some_of(plan.counts, draws)
        return draws.pick(
            (f"on {backdrop} {_be(plan.counts)} {things}", f"{things} against {backdrop}")
        )
    front, back = (with_article(_named(w, draws)) for w in (plan.covers.what, plan.covers.other))
    how = draws.pick(("partly covers", "overlaps", "hides a part of", "is in front of"))
    text = f"on {backdrop}, {front} {how} {back}"
    if not plan.counts:
        return text
    return f"{text}; {_there(plan.counts)} also {_some_of(plan.counts, draws)}"
