"""Cross-validation by a column: each value is left out of a run, and measured by it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_runs import weft

FAST = ("--run.steps", 2, "--run.batch-size", 4, "--run.workers", 0, "--run.precision", "fp32")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("esc")
    (folder / "audio").mkdir()
    lines = ["filename,fold,category,src_file"]
    for n in range(24):
        samples = np.sin(np.arange(4000) * (0.05 + 0.2 * (n % 2))).astype(np.float32) / 3
        soundfile.write(folder / "audio" / f"{n}.wav", samples, 16000)
        lines.append(f"{n}.wav,{n % 3 + 1},{('low', 'high')[n % 2]},{n}")
    (folder / "meta.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_every_fold_is_measured_by_a_run_without_it(sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds"
    done = weft(
        "crossval",
        "classify",
        "--target",
        "label",
        "--by",
        "fold",
        "--data",
        sounds,
        "--out",
        out,
        *FAST,
    )
    assert done.code == 0, done.err
    found = json.loads((out / "crossval.json").read_text())
    assert list(found["folds"]) == ["1", "2", "3"]
    assert found["pooled"]["accuracy"]["groups"] == 24
    values = [fold["metrics"]["accuracy"]["value"] for fold in found["folds"].values()]
    assert found["pooled"]["accuracy"]["value"] == pytest.approx(np.mean(values))
    assert "classification, cross-validation by fold" in done.out
    again = weft(
        "crossval",
        "classify",
        "--target",
        "label",
        "--by",
        "fold",
        "--data",
        sounds,
        "--out",
        out,
        *FAST,
    )
    assert again.code == 0, again.err
    assert json.loads((out / "crossval.json").read_text())["pooled"] == found["pooled"]


def test_several_values_are_left_out_together(sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds"
    words = ("classify", "--target", "label", "--by", "src_file", "--together", 12)
    done = weft("crossval", *words, "--data", sounds, "--out", out, *FAST)
    assert done.code == 0, done.err
    folds = json.loads((out / "crossval.json").read_text())["folds"]
    halves = (range(12), range(12, 24))
    assert list(folds) == ["|".join(map(str, half)) for half in halves]
    assert [fold["metrics"]["accuracy"]["groups"] for fold in folds.values()] == [12, 12]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classify", "--target", "label"], "weft crossval needs --by COLUMN"),
        (["classify", "--target", "label", "--by", "ward"], "column 'ward' has 0 different values"),
        (["classify", "--target", "label", "--by", "fold", "--task", "no"], "unknown task 'no'"),
        (["--by", "fold"], "expected a recipe's name"),
        (
            ["classify", "--target", "label", "--by", "fold", "--together", "2"],
            "expected a divisor",
        ),
        (["classify", "--target", "label", "--by", "fold", "--together", "x"], "--together is 'x'"),
        (["clip", "--by", "fold"], "needs rows from files"),
    ],
)
def test_one_line(sounds: Path, words: list[str], message: str, tmp_path: Path) -> None:
    data = [] if words[0] == "clip" else ["--data", sounds]
    done = weft("crossval", *words, *data, "--out", tmp_path / "out", *FAST)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
