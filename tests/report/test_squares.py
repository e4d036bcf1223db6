"""Confusion matrix, reliability diagram and scatter: every number is where it belongs."""

import re
import xml.etree.ElementTree as ET

import pytest

from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import Metric, Score
from weft.inference.diagnostics import (
    ClassCount,
    ClassCounts,
    ConfusedPair,
    Confusion,
    Diagnostics,
    Reliability,
    ReliabilityBin,
    ResidualBin,
    Residuals,
    Slice,
    Slices,
)
from weft.report import axes
from weft.report.diagnostics import confused_pairs, diagnostic_charts, slice_charts
from weft.report.squares import confusion_matrix, reliability_diagram, scatter

ACCURACY = Metric("accuracy")


def svg(markup: str) -> ET.Element:
    found = ET.fromstring(f"<div>{markup}</div>").find(".//svg")
    assert found is not None
    return found


def score(value: float) -> Score:
    return Score(ACCURACY, Estimate(value, value - 5, value + 5, 30))


def bins() -> Reliability:
    return Reliability(
        (ReliabilityBin(0.0, 0.5, 0.4, 0.25, 10), ReliabilityBin(0.5, 1.0, 0.9, 0.75, 30)),
        score(15.0),
    )


@pytest.mark.parametrize("labels", [2, 9, 30])
def test_cells_are_as_strong_as_their_share_of_the_row(labels: int) -> None:
    names = tuple(f"<class {n}>" for n in range(labels))
    counts = tuple(
        tuple(6 if n == m else 2 if m == (n + 1) % labels else 0 for m in range(labels))
        for n in range(labels)
    )
    drawn = svg(confusion_matrix(Confusion(names, counts, labels + 1), "t"))
    cells = [r for r in drawn.iter("rect") if r.get("class") == "cell"]
    assert len(cells) == labels**2
    strength = [float(cell.get("fill-opacity", "")) for cell in cells]
    assert strength[0] == pytest.approx(0.04 + 0.96 * 0.75, abs=1e-3)
    assert strength[1] == pytest.approx(0.04 + 0.96 * 0.25, abs=1e-3)
    framed = [r for r in drawn.iter("rect") if r.get("class") == "right"]
    assert len(framed) == labels
    tips = ["".join(t.itertext()) for t in drawn.iter("title")]
    assert "<class 0> predicted as <class 1>: 2 of 8" in tips
    ends = [float(c.get("x", "")) + float(c.get("width", "")) for c in cells]
    assert max(ends) < axes.WIDTH
    assert min(float(c.get("x", "")) for c in cells) > 0
    note = confusion_matrix(Confusion(names, counts, labels + 1), "t")
    assert f"{labels} of {labels + 1} classes" in note
    assert "classes:" not in confusion_matrix(Confusion(names, counts, labels), "t")


def test_reliability_lies_on_the_diagonal_where_confidence_is_right() -> None:
    right = Reliability((ReliabilityBin(0.5, 1.0, 0.75, 0.75, 3),), score(0.0))
    drawn = svg(reliability_diagram(right, "t"))
    circle = next(iter(drawn.iter("circle")))
    line = next(p for p in drawn.iter("path") if p.get("class") == "reference")
    x0, y0, x1, y1 = map(float, re.findall(r"[\d.]+", line.get("d", "")))
    share = (float(circle.get("cx", "")) - x0) / (x1 - x0)
    assert share == pytest.approx(0.75, abs=0.01)
    assert (float(circle.get("cy", "")) - y0) / (y1 - y0) == pytest.approx(share, abs=0.01)
    assert "Expected calibration error: 15.0% (95% interval 10.0 – 20.0)" in reliability_diagram(
        bins(), "t"
    )


def test_a_scatter_has_the_same_numbers_on_both_axes() -> None:
    found = Residuals((), ((1.0, 1.0), (4.0, 2.0), (float("nan"), 1.0)), "euros")
    drawn = svg(scatter(found, "t"))
    points = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in drawn.iter("circle")]
    assert len(points) == 2
    line = next(p for p in drawn.iter("path") if p.get("class") == "reference")
    x0, y0, x1, y1 = map(float, re.findall(r"[\d.]+", line.get("d", "")))
    on = (points[0][0] - x0) / (x1 - x0) - (points[0][1] - y0) / (y1 - y0)
    off = (points[1][0] - x0) / (x1 - x0) - (points[1][1] - y0) / (y1 - y0)
    assert on == pytest.approx(0, abs=0.01)
    assert off == pytest.approx(2 / (3 * 1.08), abs=0.02)  # 2 euros too low, with air at both ends


def test_all_that_a_task_has_is_drawn() -> None:
    counts = ClassCounts((ClassCount("cat", 30, 3), ClassCount("dog", None, 4)), 9)
    slices = Slices("text_zh", (Slice("<b>", 7, score(40.0)), Slice("b", 9, score(60.0))), 2)
    found = Diagnostics(
        confusion=Confusion(("a", "b"), ((1, 2), (0, 3)), 2, (ConfusedPair("a", "<i>", 2),)),
        reliability=bins(),
        class_counts=counts,
        slices=(slices,),
        residuals=Residuals(
            (ResidualBin(0, 1, 0.5, 0.7, 3), ResidualBin(1, 2, 0, 1, 3)), ((1, 2),)
        ),
    )
    drawn = diagnostic_charts(found) + slice_charts(found)
    titles = re.findall("<figcaption>([^<]+)</figcaption>", "".join(drawn))
    assert titles == [
        "Confusion matrix",
        "Predicted and true numbers",
        "Errors by predicted number",
        "Calibration",
        "Rows of each class",
        "Accuracy by the values of Chinese text",
    ]
    assert "The 2 most frequent of 9 classes." in "".join(drawn)
    assert "&lt;b&gt; (7)" in "".join(drawn)
    assert found.confusion is not None
    assert "&lt;i&gt;" in confused_pairs(found.confusion)
    assert diagnostic_charts(Diagnostics()) == []
