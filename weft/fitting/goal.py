"""The goal of `weft fit`: a column to predict as classes, tags or numbers. It is checked before all computation."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.core.cells import Merge, unit_of
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Target
from weft.core.missing import is_missing
from weft.data.targets import NO_CLASS
from weft.data.targets.classes import Classes, ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.data.targets.tags import TagsConfig
from weft.fitting.settings import GoalKind
from weft.fitting.table import Table

MANY_CLASSES = 200
"""With more, each boosting round would grow that many trees."""


@dataclass(frozen=True)
class Goal:
    """The column to predict.

    target: reads its values. values: class indices (N,), numbers (N,), or for tags (N, V) with 1 where the row has
    the tag. classes: names of classes or tags, the most frequent first; empty for a number. state: what the target
    has learned. notes: sentences for the user. unit: of a number.
    """

    column: str
    kind: GoalKind
    target: Config[Target]
    values: NDArray[Any]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""

    @property
    def outputs(self) -> int:
        """Number of outputs of a model for each row."""
        return max(1, len(self.classes))

    def counts(self) -> NDArray[np.int64]:
        """(V,) number of rows of each class or tag."""
        if self.kind == "tags":
            return np.asarray(self.values.sum(0), dtype=np.int64)
        return np.bincount(self.values, minlength=len(self.classes))


def read_goal(
    table: Table, column: str, kind: GoalKind, merge: Sequence[Merge] = ()
) -> tuple[Table, Goal]:
    """Returns the rows that have a value in the column, and the goal.

    Raises WeftError if it cannot be predicted: it is constant, or every row has a different class.
    """
    there = [row for row, value in enumerate(table.values(column)) if not is_missing(value)]
    if not there:
        raise WeftError(f"no row has '{column}', so it cannot be predicted")
    used = table if len(there) == len(table) else table.take(there)
    if kind == "number":
        goal = _numbers(used, column)
    else:
        goal = (_classes if kind == "class" else _tags)(used, column, tuple(merge))
    missing = len(table) - len(there)
    if missing:
        goal = _noted(goal, f"{missing:,} rows without a '{column}' are left out")
    return used, goal


def _noted(goal: Goal, *notes: str) -> Goal:
    return replace(goal, notes=(*notes, *goal.notes))


def _numbers(table: Table, column: str) -> Goal:
    unit = next(filter(None, map(unit_of, table.values(column))), "")
    target = NumbersConfig(column, unit=unit)
    values = _read(table, target, column)
    if np.ptp(values) == 0:
        raise WeftError(f"'{column}' is {values[0]:g} in every row: there is nothing to predict")
    return Goal(column, "number", target, values.astype(np.float64), unit=unit)


def _classes(table: Table, column: str, merge: tuple[Merge, ...]) -> Goal:
    raws = table.values(column)
    target = ClassesConfig(column, max_classes=max(1, len(raws)), merge=merge)
    built = target.build()
    built.fit(raws)
    names = built.classes
    if len(names) == 1:
        raise WeftError(f"'{column}' is '{names[0]}' in every row: there is nothing to predict")
    if len(names) == len(raws) or (len(names) > 2 and len(names) > 0.9 * len(raws)):
        raise WeftError(
            f"'{column}' has {len(names):,} different values in {len(raws):,} rows, so it names rows and is "
            "no class; name another target, or read it as a number (--task number)"
        )
    values = _read(table, built, column).astype(np.int64)
    notes = tuple(_class_notes(built, values))
    return Goal(column, "class", target, values, names, notes, built.state())


def _tags(table: Table, column: str, merge: tuple[Merge, ...]) -> Goal:
    target = TagsConfig(column, max_classes=MANY_CLASSES, merge=merge)
    built = target.build()
    raws = table.values(column)
    built.fit(raws)
    values = np.array(_each(table, built, column), dtype=np.float32)
    if (values == values[0]).all():
        raise WeftError(f"'{column}' has the same tags in every row: there is nothing to predict")
    counts = values.sum(0)
    few = [name for name, rows in zip(built.classes, counts, strict=True) if rows == 1]
    notes = []
    if few:
        named = ", ".join(few[:3]) + (", ..." if len(few) > 3 else "")
        notes.append(
            f"{len(few):,} of {len(counts):,} tags are of one row, so they cannot be learned and measured: {named}"
        )
    target = target.replace(separator=built.separator)
    return Goal(column, "tags", target, values, built.classes, tuple(notes), built.state())


def _read(table: Table, target: Any, column: str) -> NDArray[Any]:
    """The target of each row. Raises WeftError that names the first row with an invalid value."""
    return np.array(_each(table, target if isinstance(target, Classes) else target.build(), column))


def _each(table: Table, read: Target, column: str) -> list[Any]:
    found = []
    for sample, raw in zip(table.samples, table.values(column), strict=True):
        try:
            found.append(read.read(raw))
        except WeftError as error:
            raise WeftError(f"{sample.source}: {error}") from None
    return found


def _class_notes(target: Classes, values: NDArray[np.int64]) -> Sequence[str]:
    counts = Counter(values[values != NO_CLASS].tolist())
    single = [target.classes[place] for place, rows in counts.items() if rows == 1]
    notes = []
    if single:
        named = ", ".join(sorted(single)[:3]) + (", ..." if len(single) > 3 else "")
        notes.append(
            f"{len(single):,} of {len(counts):,} classes have one row, so they cannot be learned and "
            f"measured: {named}"
        )
    if len(counts) > MANY_CLASSES:
        notes.append(f"{len(counts):,} classes: only linear models and constants are tried")
    return notes
