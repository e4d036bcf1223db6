"""Questions about pictures from the command line, bad ones too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_runs import done, refused, weft

SHAPES, COLORS = ("circle", "square"), {"red": (255, 0, 0), "blue": (0, 0, 255)}
SMALL = (
    *("--data.streams.image.size", 32, "--run.batch-size", 8, "--run.workers", 0),
    *("--run.precision", "fp32", "--run.device", "cpu", "--tasks.vqa.resamples", 20),
    *("--run.evaluate-every", 0, "--run.checkpoint-every", 0, "--tasks.vqa.inference.workers", 0),
)


def pictures(root: Path, test: list[list[Any]] | None = None) -> Path:
    """easy-VQA as its package lays it out: plain pictures of two colours."""
    for split, count in (("train", 24), ("test", 6)):
        folder = root / split / "images"
        folder.mkdir(parents=True)
        asked: list[list[Any]] = []
        for n in range(count):
            color = list(COLORS)[n % 2]
            Image.fromarray(np.full((32, 32, 3), COLORS[color], np.uint8)).save(folder / f"{n}.png")
            asked += [
                ["what is the color?", color, n],
                ["is there a red one?", ["yes", "no"][n % 2], n],
            ]
        entries = asked if split == "train" or test is None else test
        (root / split / "questions.json").write_text(json.dumps(entries))
    return root


def trained(data: Path, out: Path, *words: object) -> Path:
    done(
        "train",
        "easy_vqa",
        "--data.source.path",
        data,
        *SMALL,
        "--run.steps",
        2,
        *words,
        "--out",
        out,
    )
    return out


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ask")
    return trained(pictures(folder / "data"), folder / "run")


def test_answers_come_with_their_probabilities(run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(picture)
    lines = done("ask", run, "--image", picture, "--text", "what is the color?").splitlines()
    shares = [float(line.split()[0]) for line in lines]
    assert {line.split()[1] for line in lines} == {"red", "blue", "yes", "no"}
    assert sum(shares) == pytest.approx(1, abs=0.003)
    assert shares == sorted(shares, reverse=True)
    one = done("ask", run, "--image", picture, "--text", "what is the color?", "--k", 1)
    assert one.splitlines() == lines[:1]


def test_mistakes_in_a_question(run: Path, scenes_run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(picture)
    assert "needs --image, for its stream 'image'" in refused("ask", run, "--text", "what?")
    by_name = ("--input", f"image={picture}", "--input", "question=what?")
    assert done("ask", run, *by_name) == done("ask", run, "--image", picture, "--text", "what?")
    line = refused("ask", run, "--input", "picture=x.png")
    assert "unknown stream or column of --input 'picture': " in line
    assert "needs --text, for its stream 'question'" in refused("ask", run, "--image", picture)
    line = refused("ask", run, *by_name, "--input", "question=where?")
    assert line == "--input gives stream 'question' 2 values, expected 1"
    line = refused("ask", run, "--array", picture, "--text", "what?")
    assert line == f"{run}: this run takes no --array, it takes --image or --text"
    assert "is empty" in refused("ask", run, "--image", picture, "--text", " ")
    gone = refused("ask", run, "--image", tmp_path / "none.png", "--text", "what?")
    assert "none.png" in gone
    words = ("--image", picture, "--text", "what?")
    assert "expected 1 or more" in refused("ask", run, *words, "--k", 0)
    assert "has no head" in refused("ask", scenes_run, *words)


def test_an_answer_that_was_never_learned_is_wrong_and_counted(tmp_path: Path) -> None:
    test = [["what is the color?", "green", 0], ["what is the color?", "red", 0]]
    data = pictures(tmp_path / "data", test)
    run = trained(data, tmp_path / "run")
    printed = done("evaluate", run, "--json", tmp_path / "found.json")
    assert "rows whose answer the model cannot give: 1" in " ".join(printed.split())
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["metrics"]["accuracy"]["value"] <= 50
    assert found["baselines"]["question alone"]["accuracy"] <= 50
    assert not any(np.isnan(one["value"]) for one in found["metrics"].values())


def test_a_question_about_a_missing_picture(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data")
    run = trained(data, tmp_path / "run")
    (data / "test" / "images" / "3.png").unlink()
    line = refused("evaluate", run, "--audit", False, after_steps=True)
    assert f"{data}/test/questions.json:[6]: no such file: {data}/test/images/3.png" in line
    (data / "train" / "images" / "0.png").unlink()
    words = ("--data.source.path", data, *SMALL, "--run.steps", 9, "--out", tmp_path / "again")
    assert "no such file" in refused("train", "easy_vqa", *words, after_steps=True)
    skipped = ("--data.errors.mode", "skip", *words)
    said = weft("train", "easy_vqa", *skipped)
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ([" ", "red", 0], "the question is empty"),
        (["what?", "red"], "expected [question, answer, number of the picture]"),
        (["what?", 3, 0], "'answer' holds 3, expected a str"),
        (["what?", "red", "0"], "'image' holds '0', expected a int"),
    ],
)
def test_a_bad_row_is_named(
    run: Path, entry: list[Any], said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = [["what is the color?", "red", 0]] * 10
    data = pictures(tmp_path / "data", [*good, entry])
    done("evaluate", run, "--data", data)
    assert f"left out: {data}/test/questions.json:[10]" in caplog.text
    assert said in caplog.text
    assert done("evaluate", run, "--data", pictures(tmp_path / "good", good))
