"""Metrics say themselves what they are."""

import dataclasses
import math

import pytest

from weft.core.errors import WeftError
from weft.core.language import speaking
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import POINTS, RANK, Metric, by_name, find, same_unit

ACCURACY = Metric("accuracy", headline=True)
BY_CLASS = Metric("class/{}/accuracy")
RANKS = Metric("mean_rank", RANK, "lower")
ERROR = Metric("price_error", "EUR", "lower", digits=2)


def test_shares_become_percent_and_nothing_else_does() -> None:
    raw = Estimate(0.25, 0.125, 0.5, 7)
    score = ACCURACY.score(raw)
    assert (score.value, score.low, score.high, score.estimate.groups) == (25, 12.5, 50, 7)
    assert Metric("BLEU-4", POINTS).score(raw).value == 25
    for metric in (RANKS, ERROR, Metric("rsum", "sum of %")):
        assert metric.score(raw).value == 0.25
    assert score.to_json() == {
        **{"value": 25, "low": 12.5, "high": 50, "groups": 7},
        **{"unit": "%", "better": "higher", "digits": 1},
    }
    assert ERROR.score(raw).to_json()["better"] == "lower"


def test_which_way_is_better() -> None:
    assert ACCURACY.better_than(2, 1)
    assert not ACCURACY.better_than(1, 2)
    assert RANKS.better_than(1, 2)
    assert not RANKS.better_than(2, 1)
    assert not RANKS.better_than(math.nan, 2)
    assert sorted([3, 1, 2], key=RANKS.best_first) == [1, 2, 3]
    assert sorted([3, 1, 2], key=ACCURACY.best_first) == [3, 2, 1]


def test_values_have_the_metric_s_digits() -> None:
    assert ACCURACY.shown(61.27) == "61.3"
    assert ERROR.shown(1234.5) == "1234.50"
    assert ACCURACY.shown(0.0123) == "0.012"
    assert ACCURACY.shown(0.0) == "0.0"
    assert ACCURACY.shown(-12.34) == "-12.3"
    assert ERROR.score(Estimate(1.0, 0.5, 2.25)).interval == "0.50 – 2.25"
    assert (ERROR.axis, ACCURACY.axis) == ("EUR, lower is better", "%")
    assert (ERROR.with_unit(2), ACCURACY.with_unit(61.27)) == (
        "2.00 EUR (lower is better)",
        "61.3 %",
    )
    assert Metric("MAE", "", "lower").with_unit(2) == "2.0 (lower is better)"
    assert Metric("R2", "").with_unit(0.5) == "0.5"
    with speaking("zh"):
        assert ERROR.with_unit(2) == "2.00 EUR (越小越好)"


@pytest.mark.parametrize(
    "name", ["n/a", "50%", "v1.2", "[red]", "{}", "{0}", "class", "accuracy", "a/accuracy", "é e"]
)
def test_names_of_classes_stay_as_they_are(name: str) -> None:
    metric = BY_CLASS.member(name)
    assert metric.name == f"class/{name}/accuracy"
    assert metric.words == f"class, {name}, accuracy"
    found = find([ACCURACY, BY_CLASS], metric.name)
    assert found == metric
    assert find([m.of("label") for m in (ACCURACY, BY_CLASS)], f"label/{metric.name}").words == (
        f"label, class, {name}, accuracy"
    )


def test_names_that_differ_are_different_metrics() -> None:
    names = ["a", "A", "a ", "a/b", "a_b", "a b", "a.b"]
    zero = Estimate(0.0, 0.0, 0.0)
    assert len(by_name(BY_CLASS.member(name).score(zero) for name in names)) == len(names)


def test_a_metric_is_found_before_a_family_and_an_unknown_one_is_named() -> None:
    special = Metric("class/all/accuracy", digits=3)
    assert find([BY_CLASS, special], "class/all/accuracy") == special
    for wrong in ("acuracy", "class//accuracy", "class/accuracy", "accuracy/x"):
        with pytest.raises(WeftError, match=r"unknown metric in run.monitor"):
            find([ACCURACY, BY_CLASS], wrong, "metric in run.monitor")
    with pytest.raises(WeftError, match="did you mean accuracy"):
        find([ACCURACY, BY_CLASS], "acuracy")


def test_only_what_shares_an_axis_stands_together() -> None:
    zero = Estimate(0.0, 0.0, 0.0)
    higher = dataclasses.replace(RANKS, name="other", better="higher")
    scores = [metric.score(zero) for metric in (ACCURACY, RANKS, BY_CLASS.member("a"), higher)]
    found = {axis: [s.metric.name for s in some] for axis, some in same_unit(scores).items()}
    assert found == {
        "%": ["accuracy", "class/a/accuracy"],
        "rank, lower is better": ["mean_rank"],
        "rank": ["other"],
    }
