"""The comparison page: what was compared, which is best, and which are not clearly different."""

import re

import pytest

from weft.core.language import speaking
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.comparison import Comparison
from weft.evaluation.metric import Metric
from weft.report.comparison import ComparisonReport, System, render

ACCURACY = Metric("question/accuracy", headline=True)


def system(name: str, value: float, difference: tuple[float, float, float] | None) -> System:
    estimate = Estimate(value, value - 4, value + 4, 90)
    compared = None
    if difference is not None:
        compared = Comparison(estimate, estimate, Estimate(*difference), 0.03)
    log = [{"step": float(s), "loss": 1.0 / s} for s in (1, 2, 3)]
    return System(name, estimate, (value,), 1000, 200, 3.0, compared, log)


def page(*systems: System, baseline: float = 25.0, metric: Metric = ACCURACY) -> str:
    return render(
        ComparisonReport(
            "Comparison <b>",
            "vqa",
            metric,
            systems,
            {"majority": baseline, "chance": 1.0},
            {"budget of a run": "200 steps"},
        )
    )


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        ((-3.0, -8.0, 2.0), "two is not clearly different from the best on these rows."),
        ((-9.0, -12.0, -6.0), "All others are clearly different from the best on these rows."),
    ],
)
def test_three_sentences_say_which_is_best_and_what_is_a_tie(
    difference: tuple[float, float, float], said: str
) -> None:
    drawn = page(system("one", 60.0, None), system("two", 57.0, difference))
    lead = drawn.split('<dl class="lead">')[1].split("</dl>")[0]
    assert "one and two, by question, accuracy, after 200 steps each." in lead
    assert "one is the best: question, accuracy 60.0% (95% interval 56.0 – 64.0)" in lead
    assert "better than the strongest baseline, always the most frequent answer: 25.0%" in lead
    assert said in lead
    assert "Training loss" in drawn


@pytest.mark.parametrize(
    ("baseline", "said"),
    [(55.0, ""), (60.0, "not clearly different from"), (70.0, "worse than")],
)
def test_the_first_caution_is_that_the_best_does_not_beat_the_baseline(
    baseline: float, said: str
) -> None:
    drawn = page(
        system("one", 60.0, None), system("two", 40.0, (-20.0, -28.0, -12.0)), baseline=baseline
    )
    lead = drawn.split('<dl class="lead">')[1].split("</dl>")[0]
    line = (
        f"Even the best system is {said} the strongest baseline, always the most frequent answer."
    )
    assert (line in lead) == ("class=warn" in lead) == bool(said)
    assert ("All others are clearly different" in lead) != bool(said)


@pytest.mark.parametrize(
    ("unit", "axis"),
    [("EUR a kg", "EUR a kg，越小越好"), ("x 0.001", "x 0.001，越小越好"), ("", "数值，越小越好")],
)
def test_axes_are_said_in_chinese_whatever_the_unit(unit: str, axis: str) -> None:
    with speaking("zh"):
        drawn = page(system("one", 6.0, None), metric=Metric("error", unit, better="lower"))
    assert f">{axis}</text>" in drawn
    assert "lower is better" not in drawn


def test_it_is_self_contained_and_escaped() -> None:
    drawn = page(system("<script>x</script>", 60.0, None), system("two", 57.0, (-3.0, -8.0, 2.0)))
    assert "<script" not in drawn
    assert "Comparison &lt;b&gt;" in drawn
    assert not re.search(r'(src|href)="(?!data:|#)', drawn)
