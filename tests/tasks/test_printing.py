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
from weft.tasks._accuracy import Expected
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


def test_intervals_of_few_groups_leave_room_for_a_table() -> None:
    metrics = [Metric(f"class/{name}/accuracy") for name in ("clock_tick", "rooster")]
    estimates = Estimate(100.0, 29.2, 100.0, 3), Estimate(50.0, 20.0, 80.0, 30)
    scores = {m.name: Score(m, one) for m, one in zip(metrics, estimates, strict=True)}
    baselines = {"chance": {}, "majority": {metrics[0].name: 10.0}}
    out = io.StringIO()
    print_result(TaskResult("classification", {}, scores, baselines), Console(file=out, width=80))
    few, many, note = out.getvalue().splitlines()[-3:]
    assert "29.2 – 100.0 *" in few
    assert "20.0 – 80.0 " in many
    assert "*" not in many
    assert note == "* fewer than 5 groups of rows: the interval is too narrow, or there is none"


def test_a_constant_guess_has_no_accuracy_of_a_class() -> None:
    labels = ["dog", "dog", "rain"]
    of_classes = Expected(answers=labels, kinds=labels, kind="class")
    assert of_classes.means(["dog"] * 3) == {"accuracy": pytest.approx(200 / 3)}
    assert len(Expected(answers=labels, kinds=["a", "b", "b"]).means(["dog"] * 3)) == 3
