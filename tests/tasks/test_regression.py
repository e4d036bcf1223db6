"""Regression: the numbers of the model, the constants that it is compared with, and its units."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from every_task import CASES, dataset, member

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.targets.numbers import NumbersConfig
from weft.heads.numbers import NumberOutput, NumberValues
from weft.inference.member import Member
from weft.inference.predict import predict
from weft.inference.results import TaskResult
from weft.tasks.regression import ACC_2, ACC_2_NON_ZERO, RegressionTaskConfig

CONFIG = CASES["regression"]


def prices_around_zero() -> tuple[Member, list[Sample]]:
    """Prices of a scale from -3 to 3, some of them 0."""
    rows = [
        replace(row, items={**row.items, "price": float(n % 7 - 3)})
        for n, row in enumerate(dataset())
    ]
    reader = member(rows)
    targets = {**reader.targets, "price": NumbersConfig("price", limits=(-3.0, 3.0)).build()}
    return replace(reader, learned=replace(reader.learned, targets=targets)), rows


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


def test_a_scale_around_zero_is_also_counted_as_classes() -> None:
    reader, rows = prices_around_zero()
    result = CONFIG.build().evaluate([reader], rows)  # type: ignore[attr-defined]
    values = predict([reader], rows, "price", CONFIG.inference).values.numbers  # type: ignore[attr-defined]
    right = prices(rows)
    other = right != 0
    shares = {
        ACC_2.name: ((values >= 0) == (right >= 0)).double().mean(),
        ACC_2_NON_ZERO.name: ((values > 0) == (right > 0))[other].double().mean(),
        "acc-7": (values.double().clamp(-3, 3).round() == right).double().mean(),
    }
    for name, share in shares.items():
        assert result.metrics[name].value == pytest.approx(100 * share.item())
        assert result.metrics[name].metric.unit == "%"
        assert name in result.baselines["median for all"]
    assert "concordance" not in result.baselines["median for all"]
    assert ACC_2.words == "acc-2 (negative/non-negative)"


def test_a_score_outside_its_scale_is_one_line() -> None:
    target = NumbersConfig("price", limits=(-3.0, 3.0)).build()
    assert target.read("-3") == -3
    with pytest.raises(
        WeftError, match=r"'price' is '3\.5', expected a score from -3 to 3, the limits"
    ):
        target.read("3.5")
    with pytest.raises(ValueError, match="the lower one first"):
        NumbersConfig("price", limits=(3.0, -3.0))
