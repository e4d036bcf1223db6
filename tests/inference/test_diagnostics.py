"""What stands behind scores is kept as JSON."""

import json
import math
from pathlib import Path

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
from weft.runs.measure import save_result

ECE = Score(Metric("ece", better="lower"), Estimate(5.0, 2.5, 7.5, 9))
ONE_GROUP = Score(Metric("accuracy"), Estimate(50.0, math.nan, math.nan, 1))
WHOLE = Diagnostics(
    Confusion(("cat", "dog"), ((3, 1), (0, 2)), 3, (ConfusedPair("cat", "dog", 1),)),
    Reliability((ReliabilityBin(0.5, 0.6, 0.55, 0.5, 6),), ECE),
    ClassCounts((ClassCount("cat", None, 4), ClassCount("dog", 7, 2)), 3),
    (Slices("ward", (Slice("north", 1, ONE_GROUP),), 1),),
    Residuals((ResidualBin(0.0, 1.5, -0.25, 0.5, 6),), ((1.0, 1.25),), "euros"),
)


def test_a_result_keeps_what_stands_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    save_result(TaskResult("classification", {}, {}, {}, diagnostics=WHOLE), path)
    found = json.loads(path.read_text())["diagnostics"]
    assert found["confusion"]["counts"] == [[3, 1], [0, 2]]
    assert found["confusion"]["pairs"] == [{"right": "cat", "predicted": "dog", "rows": 1}]
    ece = found["reliability"]["ece"]
    assert (ece["metric"], ece["value"], ece["better"]) == ("ece", 5.0, "lower")
    assert found["class_counts"]["counts"][0] == {"name": "cat", "training": None, "measured": 4}
    (north,) = found["slices"][0]["slices"]
    assert (north["value"], north["score"]["low"]) == ("north", None)
    assert (found["residuals"]["points"], found["residuals"]["unit"]) == ([[1.0, 1.25]], "euros")


def test_nothing_is_written_of_what_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    save_result(TaskResult("retrieval", {}, {}, {}), path)
    assert json.loads(path.read_text())["diagnostics"] == {}
