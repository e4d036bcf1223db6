"""Regression: how far a predicted number is off, such as a price or a score."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import Target
from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Bootstrap, Statistic
from weft.evaluation.metric import TARGET_UNIT, Metric, by_name
from weft.evaluation.ranking import worst_first
from weft.evaluation.regression import regression
from weft.heads.numbers import NumberOutput, NumberValues
from weft.heads.output import Values as Said
from weft.inference.diagnostics import Diagnostics
from weft.inference.member import Entry, Member
from weft.inference.predict import Predictions
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._diagnostics import residuals
from weft.tasks._of_target import Found, OfTarget
from weft.tasks.base import WORST, SlicedConfig

MAE = Metric("MAE", TARGET_UNIT, "lower", headline=True)
RMSE = Metric("RMSE", TARGET_UNIT, "lower")
R2 = Metric("R2", "", digits=3)
PEARSON = Metric("pearson", "", digits=3)
SPEARMAN = Metric("spearman", "", digits=3)
METRICS = (MAE, RMSE, R2, PEARSON, SPEARMAN)
OF_ONE_NUMBER = (MAE, RMSE, R2)
"""What is measured of a baseline that says one number of all rows: it has no correlation."""


@dataclass(frozen=True)
class RegressionTaskConfig(SlicedConfig):
    """A number for each row, such as a price: errors, R2 and correlations.

    MAE and RMSE in the unit of the target, R2, and Pearson's and Spearman's correlation; their formulas are
    in `weft.evaluation.regression`. Baselines: one number for all rows, the mean (which has the least RMSE)
    and the median (which has the least MAE) of the training rows, or of the measured rows where those are
    not at hand; and, where the model reads several streams, the model itself with one of them of another row; the model itself with
    the frames of a video in random order.
    """

    head: str = "score"
    """Head whose number is measured."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: NumberOutput})

    def build(self) -> OfTarget:
        return OfTarget("regression", METRICS, self, self.head, _measure)


def _measure(asked: Found) -> TaskResult:
    found, config = asked.predictions, asked.config
    (expected_N,) = (numbers.double() for numbers in found.targets.values())
    output = _output(asked.members[0], found.head)
    measured = _measured(found.values, found, expected_N, asked.bootstrap)
    training_N = _numbers_of(asked.training, asked.target)
    errors_N = (_numbers(found.values) - expected_N).abs()
    constants = "of the measured rows" if training_N is None else "of the training rows"
    return TaskResult(
        task=asked.name,
        protocol={"constants": constants},
        metrics=by_name(
            output.in_unit(metric).score(one.estimate()) for metric, one in measured.items()
        ),
        baselines=_baselines(found, expected_N, training_N),
        values={MAE.name: Values(errors_N, found.groups)},
        predictions=_shown(found, expected_N, output, _drawn(len(found), config)),
        worst=_shown(found, expected_N, output, worst_first(errors_N, WORST)),
        diagnostics=Diagnostics(
            slices=asked.slices(output.in_unit(MAE), errors_N),
            residuals=residuals(_numbers(found.values), expected_N, output.unit, config.seed),
        ),
    )


def _output(member: Member, head: str) -> NumberOutput:
    output = member.model.head(head).output
    if not isinstance(output, NumberOutput):
        raise WeftError(f"head '{head}' gives no numbers, expected one that does")
    return output


def _numbers(values: Said) -> Tensor:
    """(N,) float64"""
    assert isinstance(values, NumberValues)
    return values.numbers.double()


def _measured(
    values: Said, found: Predictions, expected_N: Tensor, bootstrap: Bootstrap | None = None
) -> dict[Metric, Statistic]:
    measured = regression(_numbers(values), expected_N, found.groups, bootstrap)
    return {metric: getattr(measured, metric.name.lower()) for metric in METRICS}


def _numbers_of(training: Dataset | None, target: Target) -> Tensor | None:
    """The numbers of all training rows that can be read and have one; None where there are none."""
    found: list[float] = []
    if training is None:
        return None
    for row in range(len(training)):
        try:
            found.append(target.read(training[row].items[target.column]))
        except (WeftError, KeyError):
            continue  # training has reported it
    return torch.tensor(found, dtype=torch.float64) if found else None


def _baselines(
    found: Predictions, expected_N: Tensor, training_N: Tensor | None
) -> dict[str, dict[str, float]]:
    known = expected_N if training_N is None else training_N

    def values(said: Said, metrics: Sequence[Metric]) -> dict[str, float]:
        measured = _measured(said, found, expected_N)
        return {metric.name: measured[metric].value for metric in metrics}

    constants = {"mean": known.mean(), "median": known.quantile(0.5)}
    return {
        **{
            f"{name} for all": values(NumberValues(one.expand_as(expected_N)), OF_ONE_NUMBER)
            for name, one in constants.items()
        },
        **{name: values(said, METRICS) for name, said in found.altered.items()},
    }


def _shown(
    found: Predictions, expected_N: Tensor, output: NumberOutput, chosen: Sequence[int]
) -> list[Prediction]:
    """These rows with the right number in its unit."""
    right = NumberValues(expected_N, output.unit, output.digits)
    return [
        Prediction(
            inputs=tuple(Entry(stream, found.rows[row]) for stream in found.streams),
            predicted=found.values.said(row),
            expected=(right.said(row),),
        )
        for row in chosen
    ]


def _drawn(rows: int, config: SlicedConfig) -> list[int]:
    """Some rows, drawn at random."""
    generator = torch.Generator().manual_seed(config.seed)
    drawn: list[int] = torch.randperm(rows, generator=generator)[: config.examples].tolist()
    return drawn
