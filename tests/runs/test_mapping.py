"""Maps and nearest training rows: the same row is nearest to itself, and what a row lacks is not embedded."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))
sys.path.insert(0, str(Path(__file__).parent))

from every_task import ROWS, dataset
from random_run import run_of

from weft.inference.member import Entry
from weft.inference.results import Prediction, TaskResult
from weft.report.embedding_map import MapPoint
from weft.runs import mapping
from weft.runs.run import Run


@pytest.fixture(autouse=True)
def raw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of these tests have no recipe, which only says where features are cached."""
    monkeypatch.setattr(Run, "member", lambda run, rows: run._member(rows, {})[0])


def result(head: str | None, rows: list[int]) -> TaskResult:
    worst = [Prediction((Entry("image", row),), "a", ("b",), False) for row in rows]
    return TaskResult("t", {}, {}, {}, worst=worst, head=head)


@pytest.mark.parametrize("head", ["label", None])
def test_a_row_is_nearest_to_itself(head: str | None) -> None:
    rows = dataset("image", {3})
    found = mapping.nearest(run_of(), result(head, [5, 2]), rows, rows)
    assert [one.row for one in found] == [5, 2]
    for one in found:
        assert one.found[0] == (one.row, pytest.approx(1.0, abs=1e-5))
        cosines = [cosine for _, cosine in one.found]
        assert cosines == sorted(cosines, reverse=True)
        assert len(one.found) == mapping.NEAREST
    nothing = TaskResult("t", {}, {}, {}, head=head)
    assert mapping.nearest(run_of(), nothing, rows, rows) == []


def test_a_map_of_a_head_has_a_point_a_row_in_the_colour_of_its_class() -> None:
    rows = dataset("image", {3})
    drawn = mapping.embedding_map(run_of(), result("label", []), rows)
    assert drawn is not None
    assert [point.row for point in drawn.points] == list(range(ROWS))
    assert [point.group for point in drawn.points] == [row.items["label"] for row in rows]
    assert drawn == mapping.embedding_map(run_of(), result("label", []), rows)


def test_a_map_of_streams_has_a_point_for_each_that_the_row_has() -> None:
    rows = dataset("image", {3})
    drawn = mapping.embedding_map(run_of(), result(None, []), rows)
    assert drawn is not None
    streams = [(point.row, point.stream) for point in drawn.points]
    assert (3, "image") not in streams
    assert {(3, "text"), (4, "image"), (4, "text")} <= set(streams)
    assert "the mean of each stream subtracted" in drawn.note


def test_many_numbers_are_grouped_by_their_quartiles() -> None:
    many = [MapPoint(n, "", 0.0, 0.0, str(n / 2)) for n in range(20)]
    groups = [point.group for point in mapping._in_ranges(many)]
    assert list(dict.fromkeys(groups)) == ["0 – 2", "2.5 – 4.5", "5 – 7", "7.5 – 9.5"]
    few = many[:3]
    assert mapping._in_ranges(few) == few
    named = [MapPoint(n, "", 0.0, 0.0, f"dog {n}") for n in range(20)]
    assert mapping._in_ranges(named) == named
