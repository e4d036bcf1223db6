"""The differences of two runs' numbers, paired row by row."""

import pytest
import torch

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.metric import Metric, by_name
from weft.inference.results import TaskResult, Values
from weft.runs.against import check_same_rows, held_against

ERRORS = Metric("WER", better="lower")


def result(errors: list[float], groups: torch.Tensor | None = None) -> TaskResult:
    values = torch.tensor(errors, dtype=torch.float64)
    groups = torch.arange(len(errors)) if groups is None else groups
    score = ERRORS.score(Bootstrap(groups).mean(values / ERRORS.scale, groups).estimate())
    return TaskResult(
        "transcription", {}, by_name([score]), {}, values={"WER": Values(values, groups)}
    )


def test_the_difference_is_this_run_less_the_other() -> None:
    other = [20.0, 40.0, 30.0, 10.0, 25.0, 35.0] * 5
    found = held_against(result([e - 8.0 for e in other]), result(other), "runs/other")
    compared = found.differences["WER"].compared
    assert compared.difference.value == pytest.approx(-8.0)
    assert compared.difference.high < 0  # what makes a row hard for both cancels
    assert found.differences["WER"].relative == pytest.approx(-0.3)
    assert compared.p_value < 0.001
    shown = found.table().text(100)
    assert "-8.0" in shown
    assert "-30 %" in shown
    assert found.to_json()["differences"]["WER"]["relative"] == pytest.approx(-0.3)


def test_other_rows_and_no_common_metric_are_refused() -> None:
    one = result([1.0, 2.0])
    with pytest.raises(
        WeftError, match="runs/b: was measured on 3 rows that differ from the 2 rows"
    ):
        held_against(one, result([1.0, 2.0, 3.0]), "runs/b")
    with pytest.raises(WeftError, match="runs/b: was measured on 2 rows that differ"):
        held_against(one, result([1.0, 2.0], torch.tensor([0, 7])), "runs/b")
    nothing = TaskResult("transcription", {}, {}, {})
    with pytest.raises(WeftError, match="runs/b: shares no metric of task 'transcription'"):
        held_against(one, nothing, "runs/b")


def test_same_rows_in_other_groups_are_told_from_other_rows() -> None:
    """A run that was trained with a column of groups, and one without."""

    def rows(names: str, groups: str) -> list[Sample]:
        return [Sample(name, of, {}, name) for name, of in zip(names, groups, strict=True)]

    check_same_rows(rows("abcd", "xxyy"), rows("efgh", "xyxy"), "runs/b")
    with pytest.raises(
        WeftError, match="runs/b: its 4 rows are those of the first run, but in other"
    ):
        check_same_rows(rows("abcd", "abcd"), rows("abcd", "xxyy"), "runs/b")
    with pytest.raises(WeftError, match=r"its 2 rows differ from the 4 rows .* 1 of 2\)"):
        check_same_rows(rows("abcd", "xxyy"), rows("ab", "xx"), "runs/b")
