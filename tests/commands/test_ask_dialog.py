"""A dialog from the command line: own dialogs, two ways to answer, and questions one after another."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_dialogs import TINY, dialogs
from tiny_runs import done, refused


@pytest.fixture(scope="module", params=["generative", "discriminative"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dialog")
    out = folder / "run"
    words = ("--data", dialogs(folder), "--decoder", request.param, *TINY)
    done("train", "dialog", *words, "--out", out)
    return out


def test_numbers_by_turn_and_a_row_without_picture(run: Path, tmp_path: Path) -> None:
    done("evaluate", run, "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["protocol"]["questions"] == 9
    assert found["protocol"]["answers_not_among_candidates"] == 1
    assert not any(np.isnan(one["value"]) for one in found["metrics"].values())
    assert {"image of another", "history of another"} <= found["baselines"].keys()
    assert any(name.startswith("round/2/") for name in found["metrics"])


def test_questions_one_after_another(run: Path) -> None:
    picture = ("--image", run.parent / "0.png")
    alone = done("ask", run, *picture, "--text", "is it plain?", "--k", 1).splitlines()
    both = done(
        "ask", run, *picture, "--text", "is it plain?", "--text", "what color is it?", "--k", 1
    ).splitlines()
    assert both[:3] == ["is it plain?", *alone, "what color is it?"]
    said = alone[0].split("  ")[-1]
    given = ("--input", f"history=is it plain? {said}")
    assert (
        done("ask", run, *picture, *given, "--text", "what color is it?", "--k", 1)
        == both[3] + "\n"
    )


def test_what_is_no_dialog_is_asked_once(scenes_run: Path) -> None:
    line = refused("ask", scenes_run, "--text", "a", "--text", "b")
    assert line.count("\n") == 0
