"""What people read on the terminal."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from weft.data.prepare.scan import RowFacts
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.leakage import audit
from weft.evaluation.metric import Metric, Score
from weft.inference.results import TaskResult
from weft.tasks.printing import print_result
from weft.tasks.retrieval import RetrievalConfig


def printed(result):
    out = io.StringIO()
    print_result(result, Console(file=out, width=100))
    return out.getvalue()


def test_leakage_stands_above_the_scores(world):
    w = world(images=6)
    rows = [RowFacts(r.id, r.group, r.source) for r in w.rows]
    evaluate = RetrievalConfig(resamples=20).build().evaluate
    text = printed(evaluate([w.member()], w.rows, leakage=audit(rows, rows)))
    assert text.index("6 of 6 rows belong to a group that is also in training") < text.index(
        "recall@1"
    )
    assert "the scores may be too high" in text
    assert "chance" in text
    assert "split: test" in text
    unaudited = printed(evaluate([w.member()], w.rows))
    assert "not audited" in unaudited


@pytest.mark.parametrize("width", [44, 80])
def test_no_number_is_cut_on_a_narrow_terminal(width: int) -> None:
    """Names of classes may be Chinese, whose characters take two cells."""
    metric = Metric("class/左边的红色大圆形/accuracy")
    score = Score(metric, Estimate(33.3, 20.0, 40.0))
    baselines = {"majority class": 30.0, "question alone": 21.5, "chance": 10.0}
    result = TaskResult(
        "vqa",
        {"split": "test"},
        {metric.name: score},
        {name: {metric.name: value} for name, value in baselines.items()},
    )
    out = io.StringIO()
    print_result(result, Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    for number in ("33.3", score.interval, "30.0", "21.5", "10.0"):
        assert number in out.getvalue()
    assert "…" not in out.getvalue()


def test_names_of_metrics_are_whole_beside_many_baselines() -> None:
    metric = Metric("image_to_text/recall@10")
    score = Score(metric, Estimate(33.3, 20.0, 40.0))
    names = ("majority class", "question alone", "image alone", "nearest neighbour")
    result = TaskResult("vqa", {}, {metric.name: score}, {n: {metric.name: 1.5} for n in names})
    out = io.StringIO()
    print_result(result, Console(file=out, width=80))
    assert metric.name in out.getvalue()
    assert out.getvalue().count("1.5") == 4
