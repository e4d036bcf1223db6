"""The candidates: a constant; and each column alone and all columns, with a linear model, boosted trees or a recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from weft.data.column_kinds import MEDIA
from weft.fitting.boosting import boosted
from weft.fitting.features import Column, Layout, side_by_side
from weft.fitting.folds import Rows
from weft.fitting.goal import MANY_CLASSES, Goal
from weft.fitting.linear import linear
from weft.fitting.means import class_means
from weft.fitting.models import Fitted, Training, constant
from weft.fitting.settings import GoalKind
from weft.fitting.table import Ints
from weft.recipes._own_streams import Tune

Model = Literal["constant", "linear", "trees", "answer", "classify", "regress", "tag", "retrieve"]
"""answer to retrieve: the recipes of these names. retrieve is for a pair of columns."""
TRAINED: Mapping[GoalKind, Model] = {"class": "classify", "number": "regress", "tags": "tag"}
"""The recipe that reads all columns."""
MOST_COLUMNS = 12
"""With more columns, single columns of numbers, dates and categories are not compared: the correction would have to
cover every pair of them."""
MOST_ALONE = 60
"""Largest number of columns that are tried alone."""


@dataclass(frozen=True)
class Candidate:
    """A model of some columns.

    role: only compared candidates can be recommended. The others are tried only for warnings: a column alone, if there
    are many, and a column that names rows, such as an id, which no model should use. tune: how a recipe trains
    published towers.
    """

    name: str
    model: Model
    columns: tuple[str, ...] = ()
    role: Literal["compared", "column alone", "names rows"] = "compared"
    tune: Tune = "frozen"

    @property
    def simplicity(self) -> tuple[int, int]:
        """A key that sorts the simplest first: a constant, fewer columns, a linear model."""
        return len(self.columns), get_args(Model).index(self.model)

    @property
    def is_trained(self) -> bool:
        """Whether it is a recipe, which is trained by gradient descent in a separate run."""
        return self.model in ("answer", *TRAINED.values())


@dataclass(frozen=True)
class Features:
    """plain: the columns for linear models. reduced: the same in few principal directions, for trees."""

    plain: Mapping[str, Column]
    reduced: Mapping[str, Column]

    def of(self, candidate: Candidate) -> Sequence[Column]:
        """The columns that the candidate reads, in order. A constant gets the first column and ignores it."""
        known = self.reduced if candidate.model == "trees" else self.plain
        names = candidate.columns or tuple(known)[:1]
        return [known[name] for name in names]


def candidates(
    goal: Goal,
    kinds: Mapping[str, str],
    named: Sequence[str] = (),
    *,
    networks: bool = True,
    fine_tuned: bool = False,
) -> list[Candidate]:
    """The candidates in the order in which they are tried: a constant, a linear model of all columns, each column
    alone, the slower ones, then those that are not compared.

    kinds: column -> its kind, for the columns that a model may use. named: columns that name rows. networks: include
    recipes. fine_tuned: published towers can be fine-tuned.
    """
    said = {"number": "always the median", "tags": "how often each tag is"}.get(
        goal.kind, f"always '{next(iter(goal.classes), '')}'"
    )
    found, outside = [Candidate(said, "constant")], []
    few = goal.kind != "tags" and len(goal.classes) <= MANY_CLASSES
    every = tuple(kinds)
    if len(every) > 1:
        found.append(Candidate("all columns, linear", "linear", every))
    for name, kind in list(kinds.items())[:MOST_ALONE]:
        numeric = kind in ("number", "date") and few
        alone = _alone(name, "trees" if numeric else "linear")
        if len(kinds) > MOST_COLUMNS and kind not in (*MEDIA, "text"):
            outside.append(replace(alone, role="column alone"))
        else:
            found.append(alone)
    if few and len(every) > 1:
        found.append(Candidate("all columns, boosted trees", "trees", every))
    elif few:
        found.append(_alone(every[0], "linear" if found[1].model == "trees" else "trees"))
    if networks:
        found += _trained(goal, kinds, fine_tuned)
    outside += [
        Candidate(f"{name} alone (never used)", "linear", (name,), "names rows") for name in named
    ]
    return found + outside


def _trained(goal: Goal, kinds: Mapping[str, str], fine_tuned: bool) -> list[Candidate]:
    """The recipes for the table: one for questions about pictures, and one that reads all columns."""
    pictures = [name for name, kind in kinds.items() if kind in ("image", "images")]
    texts = [name for name, kind in kinds.items() if kind == "text"]
    many = goal.kind == "class" and len(goal.classes) > MANY_CLASSES
    if many or not {*MEDIA, "text"}.intersection(kinds.values()):
        return []
    every, model = tuple(kinds), TRAINED[goal.kind]
    found = [Candidate(f"all columns, {model}", model, every)]
    if goal.kind == "class" and len(pictures) == 1 and len(texts) == 1:
        pair = (pictures[0], texts[0])
        found.insert(0, Candidate(f"{' and '.join(pair)}, answer", "answer", pair))
    if fine_tuned:
        found.append(Candidate(f"all columns, {model}, LoRA", model, every, tune="lora"))
    return found


def _alone(name: str, model: Model) -> Candidate:
    return Candidate(
        f"{name} alone, {'linear' if model == 'linear' else 'boosted trees'}", model, (name,)
    )


def fitted(
    candidate: Candidate,
    features: Features,
    goal: Goal,
    clusters: Ints,
    strata: Ints,
    rows: Rows,
    seed: int = 0,
    *,
    means: bool = False,
) -> Fitted:
    """Fits the candidate's model on these rows. means: use class means as the linear model of classes."""
    columns = features.of(candidate)
    matrix = side_by_side(columns)
    training = Training.of(matrix, goal, clusters, strata, rows, seed)
    if candidate.model == "constant":
        return constant(training, goal)
    if candidate.model == "linear":
        model = class_means if means else linear
        return model(training, goal, Layout.of(columns))
    return boosted(training, goal)
