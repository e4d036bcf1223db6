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
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import TARGET_UNIT, Metric, by_name
from weft.evaluation.ranking import worst_first
from weft.evaluation.regression import regression
from weft.heads.numbers import NumberOutput, NumberValues
from weft.heads.output import Values as Said
from weft.inference.diagnostics import Diagnostics
from weft.inference.member import Entry, Member
from weft.inference.predict import Predictions
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._accuracy import predict_target
from weft.tasks._diagnostics import residuals
from weft.tasks._slices import Measured, slices
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
    """A number for each row, such as a price: errors, R2 and correlations."""

    head: str = "score"
    """Head whose number is measured."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: NumberOutput})

    def build(self) -> "RegressionTask":
        return RegressionTask(self)


class RegressionTask:
    """MAE and RMSE in the unit of the target, R2, and Pearson's and Spearman's correlation.

    Their formulas are in `weft.evaluation.regression`. Baselines: one number for all rows, the mean (which
    has the least RMSE) and the median (which has the least MAE) of the training rows, or of the measured
    rows where those are not at hand; and, where the model reads several streams, the model itself with
    one of them of another row.
    """

    name = "regression"
    metrics = METRICS

    def __init__(self, config: RegressionTaskConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the mean of their numbers."""
        config = self.config
        found = predict_target(members, dataset, config.head, config, device)
        ((target, expected_N),) = found.targets.items()
        expected_N = expected_N.double()
        output = _output(members[0], config.head)
        bootstrap = config.bootstrap(found.groups)
        measured = _measured(found.values, found, expected_N, bootstrap)
        training_N = _numbers_of(members[0].training, members[0].targets[target])
        errors_N = (_numbers(found.values) - expected_N).abs()
        return TaskResult(
            task=self.name,
            protocol={
                "rows": len(found),
                "groups": len(set(found.groups.tolist())),
                "constants": "of the measured rows"
                if training_N is None
                else "of the training rows",
                **config.protocol(members, dataset, found),
            },
            metrics=by_name(
                output.in_unit(metric).score(one.estimate()) for metric, one in measured.items()
            ),
            baselines=_baselines(found, expected_N, training_N),
            leakage=leakage,
            values={MAE.name: Values(errors_N, found.groups)},
            predictions=_shown(found, expected_N, output, _drawn(len(found), config)),
            worst=_shown(found, expected_N, output, worst_first(errors_N, WORST)),
            head=config.head,
            diagnostics=Diagnostics(
                slices=slices(
                    Measured(output.in_unit(MAE), errors_N, found.groups, found.rows),
                    dataset,
                    config.slices,
                    bootstrap,
                ),
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
        **{f"{stream} of another": values(said, METRICS) for stream, said in found.swapped.items()},
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


def _drawn(rows: int, config: RegressionTaskConfig) -> list[int]:
    """Some rows, drawn at random."""
    generator = torch.Generator().manual_seed(config.seed)
    drawn: list[int] = torch.randperm(rows, generator=generator)[: config.examples].tolist()
    return drawn
