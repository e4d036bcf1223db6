"""What stands behind scores is kept as JSON and read back."""

import json
import math
from pathlib import Path

import pytest

from weft.core.errors import WeftError
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
from weft.inference.results import TaskResult
from weft.runs.measure import read_diagnostics, save_result

ECE = Score(Metric("ece", better="lower"), Estimate(5.0, 2.5, 7.5, 9))
ONE_GROUP = Score(Metric("accuracy"), Estimate(50.0, math.nan, math.nan, 1))
WHOLE = Diagnostics(
    Confusion(("cat", "dog"), ((3, 1), (0, 2)), 3, (ConfusedPair("cat", "dog", 1),)),
    Reliability((ReliabilityBin(0.5, 0.6, 0.55, 0.5, 6),), ECE),
    ClassCounts((ClassCount("cat", None, 4), ClassCount("dog", 7, 2)), 3),
    (Slices("ward", (Slice("north", 1, ONE_GROUP),), 1),),
    Residuals((ResidualBin(0.0, 1.5, -0.25, 0.5, 6),), ((1.0, 1.25),), "euros"),
)


def test_a_result_s_diagnostics_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    save_result(TaskResult("classification", {}, {}, {}, diagnostics=WHOLE), path)
    found = read_diagnostics(path)
    assert (found.confusion, found.reliability) == (WHOLE.confusion, WHOLE.reliability)
    assert (found.class_counts, found.residuals) == (WHOLE.class_counts, WHOLE.residuals)
    assert found.to_json() == WHOLE.to_json()
    assert math.isnan(found.slices[0].slices[0].score.low)


def test_nothing_is_written_of_what_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    save_result(TaskResult("retrieval", {}, {}, {}), path)
    assert json.loads(path.read_text())["diagnostics"] == {}
    assert read_diagnostics(path) == Diagnostics()


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"confusion": {"labels": ["a"], "counts": [[1]], "classes": 1}},
        {"confusion": {"labels": ["a"], "counts": [["x"]], "classes": 1, "pairs": []}},
        {"reliability": {"bins": [{"low": 0}], "ece": {}, "of": ""}},
        {"slices": [3]},
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, wrong: object) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"diagnostics": wrong}))
    with pytest.raises(WeftError, match=r"result\.json: diagnostics: ") as caught:
        read_diagnostics(path)
    assert "\n" not in str(caught.value)
