"""Accuracy of predicted classes, also by kind of row, and F1, with intervals and baselines."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Target
from weft.data.answers import normalised, soft_score
from weft.data.formats import Dataset
from weft.data.targets import NO_CLASS
from weft.data.targets.classes import Classes, class_name
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.metric import Metric, Score, by_name
from weft.evaluation.ranking import right_and_wrong, worst_first
from weft.heads.classes import ClassValues
from weft.heads.output import Confident, Targeted
from weft.heads.output import Values as OutputValues
from weft.inference.member import Entry, Member, check_members
from weft.inference.predict import Predictions, predict
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._kinds import Kinds
from weft.tasks.base import WORST, TaskConfig

ACCURACY = Metric("accuracy", headline=True, row_mean=True)
SOFT_ACCURACY = Metric("soft_accuracy", headline=True, row_mean=True)
OTHERS = 3
"""Number of further answers that are shown with a prediction."""


class AnswerTask(Protocol):
    """A task whose predictions are right or wrong."""

    @property
    def name(self) -> str: ...

    @property
    def config(self) -> TaskConfig: ...


@dataclass(frozen=True)
class Expected:
    """The right answers of N rows.

    answers: the name of the right class. given: the answers of all annotators, or None if the rows have none.
    kinds: of each row, or None. kind: the word for a kind in the names of metrics. spelling: answers are compared
    in the spelling of VQA v2, as they always are if there are annotators.
    """

    answers: Sequence[str]
    given: Sequence[Sequence[str]] | None = None
    kinds: Sequence[str] | None = None
    kind: str = "type"
    spelling: bool = False

    def values(self, said: Sequence[str]) -> dict[Metric, Tensor]:
        """(N,) float64 shares: soft accuracy if there are annotators, otherwise accuracy."""
        spelled = normalised if self.spelling or self.given is not None else str
        pairs = zip(said, self.answers, strict=True)
        same = torch.tensor([spelled(a) == spelled(b) for a, b in pairs]).double()
        if self.given is None:
            return {ACCURACY: same}
        scores = [soft_score(one, given) for one, given in zip(said, self.given, strict=True)]
        return {
            SOFT_ACCURACY: torch.tensor(scores, dtype=torch.float64),
            ACCURACY: same,
        }

    def shown(self, row: int) -> tuple[str, ...]:
        """The right answer of a row, or the different answers of its annotators."""
        given = self.answers[row : row + 1] if self.given is None else self.given[row]
        return tuple(dict.fromkeys(given))

    @cached_property
    def by_kinds(self) -> list[Kinds]:
        """The kinds of the rows; none if the rows have no kinds."""
        return [] if self.kinds is None else [Kinds.of(self.kind, self.kinds)]

    def means(self, said: Sequence[str]) -> dict[str, float]:
        """Metric -> its value over all rows and over each kind, for a baseline.

        Not over kinds that are the answers themselves: there a constant guess is right in all rows, or in none.
        """
        found = {}
        for metric, values in self.values(said).items():
            found[metric.name] = metric.scale * float(values.mean())
            for kinds in self.by_kinds if self.kinds != self.answers else ():
                found |= kinds.means(metric, values)
        return found

    def scores(
        self, values: Mapping[Metric, Tensor], bootstrap: Bootstrap, groups: Tensor
    ) -> dict[str, Score]:
        """The means of `values` with their intervals, over all rows and over each kind."""
        found = [
            metric.score(bootstrap.proportion(shares, groups)) for metric, shares in values.items()
        ]
        for metric, shares in values.items():
            for kinds in self.by_kinds:
                found += kinds.scores(metric, shares, groups, bootstrap)
        return by_name(found)


def right_classes(predictions: Predictions) -> Tensor:
    """(N,) the right class of each row: for soft scores the one with the highest score, NO_CLASS if none is known."""
    (target,) = predictions.targets.values()
    if not target.is_floating_point():
        return target
    best = target.max(dim=1)
    return best.indices.masked_fill(best.values == 0, NO_CLASS)


def class_values(predictions: Predictions, altered: OutputValues | None = None) -> ClassValues:
    """The values of a head of classes, or the `altered` ones of the same head.

    Raises WeftError if the head has another kind of values.
    """
    values = predictions.values if altered is None else altered
    if not isinstance(values, ClassValues):
        raise WeftError(f"head '{predictions.head}' gives no classes, expected one that does")
    return values


def confidence_of(predictions: Predictions) -> Tensor | None:
    """(N,) the probability of each answer; None if the head gives none."""
    values = predictions.values
    return values.confidence if isinstance(values, Confident) else None


def target_of(members: Sequence[Member], head: str) -> str:
    """The target that the head predicts. Raises WeftError if it predicts none."""
    check_members(members)
    output = members[0].model.head(head).output
    if not isinstance(output, Targeted) or output.target is None:
        raise WeftError(f"head '{head}' predicts no target, expected one that does")
    if output.target not in members[0].targets:
        raise unknown_name("target", output.target, members[0].targets)
    return output.target


def predict_target(
    members: Sequence[Member],
    dataset: Dataset,
    head: str,
    config: TaskConfig,
    device: torch.device | str,
) -> Predictions:
    """The head's predictions for every row that can be read and has its target, also with each stream of another
    row.

    The target is read with the row, so the error policy decides about a row without one.
    """
    targets = [target_of(members, head)]
    return predict(
        members, dataset, head, config.inference, targets=targets, swap=True, device=device
    )


def labels_of(found: Predictions, members: Sequence[Member], dataset: Dataset) -> list[str]:
    """The right label of each predicted row, in the spelling of the data."""
    (name,) = found.targets
    target = members[0].targets[name]
    return [spelled(target, dataset[row].items[target.column]) for row in found.rows]


def spelled(target: Target, raw: Any) -> str:
    """The class that a value of the target's column names, in the spelling of the target."""
    return target.name(raw) if isinstance(target, Classes) else class_name(raw, target.column)


def measured(
    task: AnswerTask,
    members: Sequence[Member],
    dataset: Dataset,
    found: Predictions,
    expected: Expected,
    guesses: Mapping[str, Sequence[str]],
    *,
    over: str = "groups",
) -> TaskResult:
    """The part of a result that all tasks with right and wrong answers share.

    guesses: baseline -> its answer to each row. The answers with each stream of another row are baselines, too.
    over: what the groups are.
    """
    config, groups = task.config, found.groups
    values = expected.values(found.said)
    guesses = {
        **guesses,
        **found.altered_said,
    }
    right_N = next(iter(values.values()))
    return TaskResult(
        task=task.name,
        protocol=config.protocol(members, dataset, found, over),
        metrics=expected.scores(values, config.bootstrap(groups), groups),
        baselines={name: expected.means(answers) for name, answers in guesses.items()},
        values=as_values(values, groups),
        predictions=shown(found, right_N, expected, config.examples, config.seed),
        worst=worst(found, right_N, expected),
        head=found.head,
    )


def as_values(values: Mapping[Metric, Tensor], groups: Tensor) -> dict[str, Values]:
    """Metric -> its values for each row (N,), in its unit, and the rows' groups."""
    return {
        metric.name: Values(metric.scale * of_rows, groups) for metric, of_rows in values.items()
    }


def most_common(answers: Sequence[str]) -> str:
    """The most frequent one; if several are equally frequent, the first by name."""
    counts = Counter(answers)
    return min(counts, key=lambda answer: (-counts[answer], answer))


def blind_guesses(
    training: Sequence[tuple[str, str]], questions: Sequence[str]
) -> tuple[list[str], int]:
    """The most frequent training answer to exactly the same words, and the number of questions without one.

    training: (question, answer) of each row. If no training row has the words, the most frequent answer overall.
    """
    by_question: dict[str, list[str]] = defaultdict(list)
    for question, answer in training:
        by_question[question].append(answer)
    best = {question: most_common(answers) for question, answers in by_question.items()}
    otherwise = most_common([answer for _, answer in training])
    unseen = sum(question not in best for question in questions)
    return [best.get(question, otherwise) for question in questions], unseen


def shown(
    predictions: Predictions,
    right: Tensor,
    expected: Expected,
    number: int,
    seed: int,
) -> list[Prediction]:
    """Random rows with their first answers, half of them right and half wrong."""
    chosen = right_and_wrong(2 - (right > 0).long(), number, seed)
    return [_shown(predictions, row, right, expected) for row in chosen]


def worst(predictions: Predictions, right: Tensor, expected: Expected) -> list[Prediction]:
    """The wrong answers with the highest probability; empty if answers have no probability."""
    confidence = confidence_of(predictions)
    if confidence is None:
        return []
    sure = confidence * (right == 0)
    return [_shown(predictions, row, right, expected) for row in worst_first(sure, WORST)]


def _shown(predictions: Predictions, row: int, right: Tensor, expected: Expected) -> Prediction:
    first, *others = predictions.values.best(row, 1 + OTHERS)
    confidence = confidence_of(predictions)
    return Prediction(
        inputs=tuple(Entry(stream, predictions.rows[row]) for stream in predictions.streams),
        predicted=first[0],
        expected=expected.shown(row),
        right=bool(right[row] > 0),
        score=first[1] if confidence is None else float(confidence[row]),
        others=tuple((name, score) for name, score in others if score is not None),
    )
