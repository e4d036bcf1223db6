"""Charts: well-formed SVG whose marks lie where the numbers say."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.report import axes, charts

finite = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 6))


def svg(markup: str) -> ET.Element:
    found = ET.fromstring(f"<div>{markup}</div>").find(".//svg")
    assert found is not None
    return found


def line_points(markup: str) -> list[tuple[float, float]]:
    path = next(p for p in svg(markup).iter("path") if p.get("fill") == "none")
    return [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", path.get("d", ""))]


def test_line_rises_to_the_right_and_upwards() -> None:
    points = line_points(charts.line_chart({"a": [(0, 0), (1, 1), (2, 4)]}, "t", "x", "y"))
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x2 - x1 == pytest.approx(x1 - x0, abs=0.02)
    assert y1 - y2 == pytest.approx(3 * (y0 - y1), abs=0.05)
    assert x0 < x2
    assert y2 < y0


def test_the_name_of_a_marked_place_stands_above_the_curves() -> None:
    series = {"a": [(0.0, 9.0), (5.0, 9.0), (10.0, 0.0)]}
    drawn = charts.line_chart(series, "t", "x", "y", marked=5, mark="chosen")
    named = next(one for one in svg(drawn).iter("text") if one.text == "chosen: 5")
    assert float(named.get("y", "")) < min(y for _, y in line_points(drawn)) - 4


@given(st.dictionaries(st.text(min_size=1), st.lists(st.tuples(finite, finite)), max_size=8))
def test_any_series_gives_svg_within_its_frame(
    series: dict[str, list[tuple[float, float]]],
) -> None:
    drawn = charts.line_chart(series, "<title>", "x", "y")
    cleaned = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", drawn)
    for circle in svg(cleaned).iter("circle"):
        assert 0 <= float(circle.get("cx", "")) <= axes.WIDTH
        assert 0 <= float(circle.get("cy", "")) <= axes.HEIGHT


def test_values_that_are_not_finite_break_the_line() -> None:
    drawn = charts.line_chart({"a": [(0, 1), (1, math.nan), (2, math.inf), (3, 2)]}, "t", "x", "y")
    path = next(p for p in svg(drawn).iter("path") if p.get("fill") == "none")
    assert path.get("d", "").count("M") == 2
    assert "nan" not in drawn


def test_nothing_to_draw_says_so() -> None:
    for drawn in (
        charts.line_chart({}, "t", "x", "y"),
        charts.histogram({"a": [0]}, [0, 1], "t", "x"),
        charts.bar_chart([], "t"),
        charts.interval_chart([], "t"),
    ):
        assert "no data" in drawn


def test_thinning_keeps_the_spike() -> None:
    points = [(float(i), 0.0) for i in range(10_000)]
    points[4321] = (4321.0, 9.0)
    drawn = line_points(charts.line_chart({"a": points}, "t", "x", "y"))
    assert len(drawn) <= charts.MAX_POINTS
    assert min(y for _, y in drawn) < min(axes.HEIGHT / 3, drawn[0][1])


def test_histogram_bars_are_as_high_as_their_counts() -> None:
    drawn = svg(charts.histogram({"a": [1, 4, 2]}, [0, 1, 2, 3], "t", "x"))
    heights = [float(r.get("height", "")) for r in drawn.iter("rect")]
    assert np.allclose(np.array(heights) / heights[0], [1, 4, 2], atol=0.02)


def test_histogram_refuses_counts_that_do_not_fit_the_edges() -> None:
    with pytest.raises(ValueError, match="has 2 counts, expected 3"):
        charts.histogram({"a": [1, 2]}, [0, 1, 2, 3], "t", "x")


def test_bars_and_intervals_follow_their_values() -> None:
    bars = [
        float(r.get("width", ""))
        for r in svg(charts.bar_chart([("a", 1), ("b", 3)], "t")).iter("rect")
    ]
    assert bars[1] == pytest.approx(3 * bars[0], abs=0.05)
    rows = [("a", 10.0, 8.0, 13.0), ("b", 20.0, 19.0, 22.0)]
    drawn = svg(charts.interval_chart(rows, "t", "percent", reference=1.0))
    low, high = [float(c.get("cx", "")) for c in drawn.iter("circle")]
    reference = next(p for p in drawn.iter("path") if p.get("class") == "reference")
    assert float(re.findall(r"[\d.]+", reference.get("d", ""))[0]) < low < high


def test_steps_and_counts_have_whole_ticks() -> None:
    steps = charts.line_chart({"a": [(10, 0.1), (12, 0.2)]}, "t", "step", "loss")
    counts = charts.histogram({"a": [2, 0, 1]}, [0, 1, 2, 3], "t", "x")
    shown = [t.text or "" for drawn in (steps, counts) for t in svg(drawn).iter("text")]
    assert {"10", "11", "12", "0", "1", "2"} <= set(shown)
    assert not {"10.5", "0.5", "1.5"} & set(shown)


def test_capitals_have_room() -> None:
    """Of letters with the width that fonts without serifs give capitals (0.7 of the size)."""
    drawn = svg(charts.interval_chart([("ROUGE", 1.0, 0.0, 2.0)], "t"))
    name = next(t for t in drawn.iter("text") if (t.text or "").startswith("ROUGE"))
    assert float(name.get("x", "")) >= 5 * 0.7 * 11.5


def test_long_and_chinese_names_are_cut_to_their_place() -> None:
    drawn = charts.bar_chart([("一只狗" * 30, 1.0), ("x" * 300, 2.0)], "t")
    assert drawn.count("…") == 2
