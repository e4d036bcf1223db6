"""Regression: the error of a predicted number, such as a price or a score."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import Target
from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.data.targets.numbers import Numbers
from weft.evaluation.bootstrap import Bootstrap, Statistic
from weft.evaluation.metric import TARGET_UNIT, Metric, by_name
from weft.evaluation.polarity import Limits, around_zero, polarity
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

MAE = Metric("MAE", TARGET_UNIT, "lower", headline=True, row_mean=True)
RMSE = Metric("RMSE", TARGET_UNIT, "lower")
R2 = Metric("R2", "", digits=3)
PEARSON = Metric("pearson", "", digits=3)
SPEARMAN = Metric("spearman", "", digits=3)
CONCORDANCE = Metric("concordance", "", digits=3, said="Lin's concordance correlation")
CORRELATIONS = (PEARSON, SPEARMAN, CONCORDANCE)
"""Metrics that do not exist for a baseline with the same number for all rows."""
NON_NEGATIVE, NON_ZERO = "negative/non-negative", "negative/positive, zeros left out"
"""The two conventions of two classes; see `weft.evaluation.polarity`."""


def _named(name: str) -> Metric:
    """Said by its whole name, since the convention is a part of it."""
    return Metric(name, said=name)


ACC_2 = _named(f"acc-2 ({NON_NEGATIVE})")
ACC_2_NON_ZERO = _named(f"acc-2 ({NON_ZERO})")
F1 = _named(f"F1 ({NON_NEGATIVE})")
F1_NON_ZERO = _named(f"F1 ({NON_ZERO})")
ACC = Metric("acc-{}", said="acc-{} (rounded)")
OF_A_SCALE = (ACC_2, ACC_2_NON_ZERO, F1, F1_NON_ZERO, ACC)
"""Metrics of a target with a scale around zero."""
METRICS = (MAE, RMSE, R2, *CORRELATIONS, *OF_A_SCALE)


@dataclass(frozen=True)
class RegressionTaskConfig(SlicedConfig):
    """A number for each row, such as a price or a sentiment: errors, R2 and correlations.

    MAE and RMSE in the unit of the target, R2, and Pearson's, Spearman's and Lin's concordance correlation; their
    formulas are in `weft.evaluation.regression`. Where the target has `limits` around zero, such as -3 and 3 of a
    sentiment, also acc-2 and weighted F1 in two conventions (negative/non-negative, and negative/positive without rows
    of score 0) and the accuracy of its whole numbers (acc-7): `weft.evaluation.polarity`. Baselines: one number for all rows, the mean (which has the least RMSE)
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
    limits = asked.target.limits if isinstance(asked.target, Numbers) else None
    right = Right(expected_N, found.groups, limits)
    measured = _measured(found.values, right, asked.bootstrap)
    training_N = _numbers_of(asked.training, asked.target)
    errors_N = (_numbers(found.values) - expected_N).abs()
    constants = "of the measured rows" if training_N is None else "of the training rows"
    return TaskResult(
        task=asked.name,
        protocol={"constants": constants},
        metrics=by_name(
            output.in_unit(metric).score(one.estimate()) for metric, one in measured.items()
        ),
        baselines=_baselines(found, right, training_N),
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


@dataclass(frozen=True)
class Right:
    """The right numbers of N rows. groups: (N,). limits: of their scale, if they have one."""

    numbers: Tensor
    groups: Tensor
    limits: Limits | None


def _measured(
    values: Said, right: Right, bootstrap: Bootstrap | None = None
) -> dict[Metric, Statistic]:
    found_N, groups = _numbers(values), right.groups
    errors = regression(found_N, right.numbers, groups, bootstrap)
    metrics = (MAE, RMSE, R2, *CORRELATIONS)
    measured = {metric: getattr(errors, metric.name.lower()) for metric in metrics}
    if right.limits is None or not around_zero(right.limits):
        return measured
    signs = polarity(found_N, right.numbers, right.limits, groups, bootstrap)
    measured |= {ACC_2: signs.non_negative.accuracy, F1: signs.non_negative.f1}
    if signs.non_zero is not None:
        measured |= {ACC_2_NON_ZERO: signs.non_zero.accuracy, F1_NON_ZERO: signs.non_zero.f1}
    return {**measured, ACC.member(str(signs.classes)): signs.accuracy}


def _numbers_of(training: Dataset | None, target: Target) -> Tensor | None:
    """The numbers of all readable training rows that have one; None if there are none."""
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
    found: Predictions, right: Right, training_N: Tensor | None
) -> dict[str, dict[str, float]]:
    known = right.numbers if training_N is None else training_N

    def values(said: Said, left_out: Sequence[Metric] = ()) -> dict[str, float]:
        return {
            metric.name: metric.scale * one.value
            for metric, one in _measured(said, right).items()
            if metric not in left_out
        }

    constants = {"mean": known.mean(), "median": known.quantile(0.5)}
    return {
        **{
            f"{name} for all": values(NumberValues(one.expand_as(right.numbers)), CORRELATIONS)
            for name, one in constants.items()
        },
        **{name: values(said) for name, said in found.altered.items()},
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
    """Random rows."""
    generator = torch.Generator().manual_seed(config.seed)
    drawn: list[int] = torch.randperm(rows, generator=generator)[: config.examples].tolist()
    return drawn
