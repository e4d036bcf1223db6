"""Composition: whether a picture shows what its prompt describes, judged by the objects that a model finds in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from weft.core.errors import DataError, WeftError
from weft.core.needs import Needs
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import FAMILY, Metric, by_name, mean_score
from weft.heads.cells import CellsOutput, CellValues, Found
from weft.inference.member import Member
from weft.inference.predict import predict
from weft.inference.results import TaskResult, Values
from weft.inference.rows import Selection
from weft.tasks.base import TaskConfig
from weft.worlds.scenes.prompts import RELATIONS, holds

RIGHT = Metric("right", headline=True, said="prompts that the picture shows", row_mean=True)
NAMED = Metric("named", headline=True, said="named objects that the picture shows", row_mean=True)
OF_KIND = Metric(f"{FAMILY}/right")
NAMED_OF_KIND = Metric(f"{FAMILY}/named")
ANOTHER = "picture of another row"
METRICS = (RIGHT, NAMED, OF_KIND, NAMED_OF_KIND)


@dataclass(frozen=True)
class CompositionTaskConfig(TaskConfig):
    """Prompt fidelity: share of prompts and named objects that the pictures show, over all rows and per kind of prompt.

    A prompt is shown if each object that it names is found, in the right number and place. On real pictures the
    task measures the finder; on generated ones (`weft evaluate RUN --judge FINDER`) the pictures.
    """

    head: str = "objects"
    """Head that finds objects in the cells of a picture."""
    asked: str = "asked"
    """Column with the facts of the prompt: {objects: [{shape, color}], count, relation}."""
    kind: str = "kind"
    """Column with the kind of prompt."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: CellsOutput}, columns=(self.asked,))

    def build(self) -> "CompositionTask":
        return CompositionTask(self)


class CompositionTask:
    """Shares of prompts and of named objects, with intervals over rows."""

    name = "composition"
    metrics = METRICS

    def __init__(self, config: CompositionTaskConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError if no row has a prompt."""
        config = self.config
        found = predict(
            members,
            dataset,
            config.head,
            config.inference,
            selection=Selection(check=self._asked),
            device=device,
        )
        if not isinstance(found.values, CellValues):
            raise WeftError(f"head '{config.head}' finds no objects, expected one that does")
        samples = [dataset[row] for row in found.rows]
        kinds = [str(sample.items.get(config.kind) or "") for sample in samples]
        asked = [self._asked(sample) for sample in samples]
        objects = found.values.objects
        right, named = _shown(asked, objects)
        other = _shown(asked, [*objects[1:], *objects[:1]])
        right_N, named_N = 100 * torch.tensor(right).double(), 100 * torch.tensor(named).double()
        bootstrap = config.bootstrap(found.groups)
        scores = [
            mean_score(RIGHT, right_N, found.groups, bootstrap),
            mean_score(NAMED, named_N, found.groups, bootstrap),
        ]
        for kind in sorted(set(kinds) - {""}):
            of_kind = torch.tensor([one == kind for one in kinds])
            groups = found.groups[of_kind]
            for family, values in ((OF_KIND, right_N), (NAMED_OF_KIND, named_N)):
                scores.append(
                    mean_score(
                        family.member(kind), values[of_kind], groups, config.bootstrap(groups)
                    )
                )
        return TaskResult(
            task=self.name,
            protocol={"rows": len(found), **config.protocol(members, dataset, found)},
            metrics=by_name(scores),
            baselines={
                ANOTHER: {
                    metric.name: 100 * float(torch.tensor(values).double().mean())
                    for metric, values in zip((RIGHT, NAMED), other, strict=True)
                }
            },
            leakage=leakage,
            values={
                RIGHT.name: Values(right_N, found.groups),
                NAMED.name: Values(named_N, found.groups),
            },
            head=config.head,
        )

    def _asked(self, sample: Sample) -> Mapping[str, Any]:
        """The description in the row. Raises DataError if it has another form."""
        asked = sample.items.get(self.config.asked)
        told: Mapping[str, Any] = asked if isinstance(asked, Mapping) else {}
        objects, relation = told.get("objects") or [], told.get("relation")
        fits = (
            isinstance(objects, list)
            and objects
            and all(isinstance(one, Mapping) for one in objects)
        )
        if not fits or (relation is not None and (relation not in RELATIONS or len(objects) < 2)):
            raise DataError(
                f"'{self.config.asked}' is {asked!r:.80}, expected objects, count and relation",
                source=sample.source,
            )
        return told


def _shown(
    asked: Sequence[Mapping[str, Any]], objects: Sequence[Sequence[Found]]
) -> tuple[list[float], list[float]]:
    """For each row whether its prompt is shown, and the share of its named objects."""
    pairs = list(zip(asked, objects, strict=True))
    return [float(is_shown(*pair)) for pair in pairs], [share_named(*pair) for pair in pairs]


def is_shown(asked: Mapping[str, Any], objects: Sequence[Found]) -> bool:
    """Whether the objects are everything that the prompt describes."""
    first = asked["objects"][0]
    if asked.get("count") is not None:
        count: int = asked["count"]
        return sum(_fits(first, one) for one in objects) == count
    relation = asked.get("relation")
    if relation is not None:
        return any(
            _fits(first, one)
            and _fits(asked["objects"][1], other)
            and holds(relation, one.center, other.center)
            for one in objects
            for other in objects
        )
    return share_named(asked, objects) == 1


def share_named(asked: Mapping[str, Any], objects: Sequence[Found]) -> float:
    """Share of the named objects that are found; each object counts for one name."""
    left, there = list(objects), 0
    for named in asked["objects"]:
        for one in left:
            if _fits(named, one):
                left.remove(one)
                there += 1
                break
    return there / len(asked["objects"])


def _fits(named: Mapping[str, str], one: Found) -> bool:
    return all(one.attributes.get(name) == value for name, value in named.items())
