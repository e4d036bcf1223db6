"""The content of a caption, independent of language: facts that are true of the scene.

A caption is first planned as facts and then put into words (english.py, chinese.py). So both languages
state the same kinds of facts, and a test can check every fact against the scene.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from weft.worlds.scenes.world import HELD_OUT, Description, Draws, Object, Scene, region, relation


@dataclass(frozen=True)
class Count:
    """Exactly `number` objects match `what`."""

    what: Description
    number: int


@dataclass(frozen=True)
class Located:
    """An object that matches `what` is in that region."""

    what: Description
    region: str


@dataclass(frozen=True)
class Related:
    """The only object that matches `what` has this relation to the only one that matches `other`."""

    what: Description
    relation: str
    other: Description


@dataclass(frozen=True)
class Covers:
    """An object that matches `what` hides a part of one that matches `other`."""

    what: Description
    other: Description


@dataclass(frozen=True)
class Plan:
    """The content of one caption. kind: selects the sentences that express it.

    total: the number of all objects; None if the caption does not state it. backdrop: (pattern, tint); None
    if the caption does not state it.
    """

    kind: str
    counts: tuple[Count, ...] = ()
    located: tuple[Located, ...] = ()
    related: tuple[Related, ...] = ()
    covers: Covers | None = None
    total: int | None = None
    share: Count | None = None
    backdrop: tuple[str, str] | None = field(default=None)


def plan_captions(
    scene: Scene, draws: Draws, number: int, complete: bool = False, named: int | None = None
) -> list[Plan]:
    """Returns `number` plans, whose kinds alternate in random order.

    complete: each plan names every object with its size, and the background, so that it fits few other scenes.
    named: each plan only lists this number of kinds of objects.
    """
    if named is not None:
        return [
            Plan("listing", counts=_groups(scene.objects, scene, draws, named))
            for _ in range(number)
        ]
    plans: list[Plan] = []
    kinds = _COMPLETE_KINDS if complete else _KINDS
    while len(plans) < number:
        for kind in draws.sample(kinds, min(len(kinds), number - len(plans))):
            plans.append(kind(scene, draws, complete) or _listing(scene, draws, complete))
    return plans


def altered(plan: Plan, scene: Scene, draws: Draws) -> Plan:
    """Returns a false plan: one colour or shape is changed so that no object of the scene matches it."""

    barred = HELD_OUT - {(thing.color, thing.shape) for thing in scene.objects}

    def wrong(what: Description) -> Description:
        other = [
            *(replace(what, color=color) for color in scene.colors if what.color),
            *(replace(what, shape=shape) for shape in scene.shapes if what.shape),
        ]
        untrue = [one for one in other if not one.count(scene.objects)]
        # A pair that no training picture shows would give away by its words alone that the caption is false.
        seen = [one for one in untrue if (one.color, one.shape) not in barred]
        return draws.pick(seen or untrue)

    places = [
        (n, k) for n in ("counts", "located", "related") for k in range(len(getattr(plan, n)))
    ]
    name, place = draws.pick([*places, *([("covers", 0)] if plan.covers else [])])
    if name == "covers":
        assert plan.covers is not None
        return replace(plan, covers=replace(plan.covers, what=wrong(plan.covers.what)))
    facts = list(getattr(plan, name))
    facts[place] = replace(facts[place], what=wrong(facts[place].what))
    change: dict[str, Any] = {name: tuple(facts)}
    return replace(plan, **change)


def fullest(thing: Object) -> Description:
    """All attributes of the object that a phrase can state."""
    return Description(thing.size, thing.color, thing.shape)


def unique_description(scene: Scene, thing: Object, draws: Draws) -> Description | None:
    """A description that matches only this object of the scene; None if there is none. If possible, half of them have
    no size."""
    short, full = Description(None, thing.color, thing.shape), fullest(thing)
    if short.count(scene.objects) == 1 and draws.unit() < 0.5:
        return short
    return full if full.count(scene.objects) == 1 else None


def _groups(
    objects: Sequence[Object], scene: Scene, draws: Draws, most: int | None
) -> tuple[Count, ...]:
    """Counts the objects that look alike: at most `most` groups, in random order.

    most: None for all groups, each with its size.
    """
    counts = Counter(map(fullest, objects))
    chosen = []
    for what in draws.sample(list(counts), len(counts) if most is None else most):
        short = Description(None, what.color, what.shape)
        brief = (
            most is not None and draws.unit() < 0.3 and short.count(scene.objects) == counts[what]
        )
        chosen.append(Count(short if brief else what, counts[what]))
    return tuple(chosen)


def _maybe_backdrop(scene: Scene, draws: Draws, chance: float) -> tuple[str, str] | None:
    return (scene.pattern, scene.tint) if draws.unit() < chance else None


def _listing(scene: Scene, draws: Draws, complete: bool) -> Plan:
    counts = _groups(scene.objects, scene, draws, None if complete else 3 + draws.below(2))
    return Plan(
        "listing", counts=counts, backdrop=_maybe_backdrop(scene, draws, 1.0 if complete else 0.4)
    )


def _located(scene: Scene, draws: Draws, complete: bool) -> Plan | None:
    placed = [(thing, where) for thing in scene.objects if (where := region(thing))]
    if len(placed) < (len(scene.objects) if complete else 2):
        return None
    facts = []
    for thing, where in draws.sample(placed, len(placed) if complete else 2 + draws.below(2)):
        short = Description(None, thing.color, thing.shape)
        brief = not complete and draws.unit() < 0.3
        facts.append(Located(short if brief else fullest(thing), where))
    backdrop = (scene.pattern, scene.tint) if complete else None
    return Plan("located", located=tuple(facts), backdrop=backdrop)


def _related(scene: Scene, draws: Draws, complete: bool) -> Plan | None:  # noqa: ARG001
    facts: list[Related] = []
    used: set[int] = set()
    numbers = range(len(scene.objects))
    pairs = [(i, j) for i in numbers for j in numbers if i != j]
    for i, j in draws.sample(pairs, 20):
        # Each statement mentions at least one object that was not mentioned before.
        if {i, j} <= used:
            continue
        a, b = scene.objects[i], scene.objects[j]
        how = relation(a, b)
        what, other = unique_description(scene, a, draws), unique_description(scene, b, draws)
        if how and what and other:
            facts.append(Related(what, how, other))
            used |= {i, j}
        if len(facts) == 2:
            return Plan("related", related=tuple(facts))
    return None


def _counted(scene: Scene, draws: Draws, complete: bool) -> Plan | None:  # noqa: ARG001
    values = {Description(color=t.color) for t in scene.objects}
    values |= {Description(shape=t.shape) for t in scene.objects}
    repeated = sorted((v for v in values if v.count(scene.objects) > 1), key=repr)
    what = draws.pick(repeated) if repeated else None
    share = None if what is None else Count(what, what.count(scene.objects))
    counts = _groups(scene.objects, scene, draws, 2 + draws.below(2))
    return Plan("counted", counts=counts, total=len(scene.objects), share=share)


def _setting(scene: Scene, draws: Draws, complete: bool) -> Plan | None:
    backdrop = (scene.pattern, scene.tint)
    if scene.covering is None:
        counts = _groups(scene.objects, scene, draws, None if complete else 3)
        return Plan("setting", counts=counts, backdrop=backdrop)
    front, back = (fullest(scene.objects[i]) for i in scene.covering)
    rest = [o for i, o in enumerate(scene.objects) if i not in scene.covering]
    if complete:
        if front in map(fullest, rest) or back in map(fullest, rest):
            return None  # "there is also" would count the same object twice
        others = _groups(rest, scene, draws, None)
        return Plan("setting", counts=others, covers=Covers(front, back), backdrop=backdrop)
    what = fullest(draws.pick(rest))
    others = (Count(what, what.count(scene.objects)),) if what not in (front, back) else ()
    return Plan("setting", counts=others, covers=Covers(front, back), backdrop=backdrop)


_KINDS: tuple[Callable[[Scene, Draws, bool], Plan | None], ...] = (
    _listing,
    _located,
    _related,
    _counted,
    _setting,
)
_COMPLETE_KINDS = (_listing, _located, _setting)
