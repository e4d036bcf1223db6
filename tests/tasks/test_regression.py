"""Regression: the numbers of the model, the constants that it is compared with, and its units."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from every_task import CASES, dataset, member

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.heads.numbers import NumberOutput, NumberValues
from weft.inference.predict import predict
from weft.inference.results import TaskResult
from weft.tasks.regression import RegressionTaskConfig

CONFIG = CASES["regression"]


def measured(rows: Sequence[Sample], training: Sequence[Sample] | None = None) -> TaskResult:
    result: TaskResult = CONFIG.build().evaluate(  # type: ignore[attr-defined]
        [replace(member(rows), training=training)], rows
    )
    return result


def prices(rows: Sequence[Sample]) -> torch.Tensor:
    return torch.tensor([row.items["price"] for row in rows], dtype=torch.float64)


def test_the_error_is_that_of_the_predictions() -> None:
    rows = dataset()
    values = predict([member(rows)], rows, "price", CONFIG.inference).values  # type: ignore[attr-defined]
    assert isinstance(values, NumberValues)
    errors = (values.numbers.double() - prices(rows)).abs()
    result = measured(rows)
    assert result.metrics["MAE"].value == pytest.approx(errors.mean().item())
    assert result.metrics["RMSE"].value == pytest.approx(errors.square().mean().sqrt().item())
    torch.testing.assert_close(result.values["MAE"].values, errors)


def test_constants_are_learned_from_the_training_rows() -> None:
    rows, training = dataset(), dataset()[6:]
    training[0] = replace(training[0], items={"price": "unknown"})
    result = measured(rows, training)
    known = prices(training[1:])
    assert result.protocol["constants"] == "of the training rows"
    for name, constant in {"mean": known.mean(), "median": known.quantile(0.5)}.items():
        found = result.baselines[f"{name} for all"]
        assert found["MAE"] == pytest.approx((prices(rows) - constant).abs().mean().item())
        assert found.keys() == {"MAE", "RMSE", "R2"}
    alone = measured(rows)
    assert alone.protocol["constants"] == "of the measured rows"
    assert alone.baselines["mean for all"]["R2"] == pytest.approx(0)
    assert {"image of another", "text of another"} < alone.baselines.keys()


def test_numbers_are_said_in_the_unit_of_the_target() -> None:
    result = measured(dataset())
    assert result.metrics["MAE"].metric.axis == "euros, lower is better"
    assert result.metrics["R2"].metric.axis == "number"
    assert len(result.predictions) == 12
    shown = result.predictions[0]
    row = dataset()[shown.inputs[0].row]
    assert shown.expected == (f"{row.items['price']:.2f} euros",)
    assert shown.predicted.endswith(" euros")
    errors = result.values["MAE"].values
    worst = [one.inputs[0].row for one in result.worst]
    assert worst == errors.argsort(descending=True)[:4].tolist()


def test_a_head_without_a_target_is_refused() -> None:
    rows = dataset()
    reader = member(rows)
    reader.model.head("price").output = NumberOutput()
    with pytest.raises(WeftError, match="head 'price' predicts no target"):
        RegressionTaskConfig(head="price").build().evaluate([reader], rows)
