"""Help: what it says, that it fits the terminal, and that it imports nothing that computes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import done, refused

from weft.commands import _essentials
from weft.commands._parsing import parse
from weft.commands._training import Arguments
from weft.recipes import recipe

ALL = """
import contextlib, io, json, pkgutil, sys
import weft.commands
from weft import cli

calls = [[], ["train", "clip", "--help"], ["train", "classify", "--help"], ["list", "recipes"]]
calls += [["train", "published", "--help"], ["train", sys.argv[1], "--help"]]
calls += [["data", "check", "--help"], ["data", "prepare", "--help"]]
calls += [[name, "--help"] for name in cli._names()]
found = {}
for words in calls:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            cli.main(words)
        except SystemExit:
            pass
    found[" ".join(words)] = [len(out.getvalue()), "torch" in sys.modules]
print(json.dumps(found))
"""


def test_no_help_imports_torch(tmp_path: Path) -> None:
    """All in one process: the first that imports it is the one to mend."""
    (tmp_path / "mine.yaml").write_text("recipe: clip\nrun: {steps: 77}\n")
    words = [sys.executable, "-c", ALL, str(tmp_path / "mine.yaml")]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(said.stdout)
    assert len(found) >= 18
    assert min(length for length, _ in found.values()) > 80
    assert [words for words, (_, torch) in found.items() if torch] == []


def test_what_the_short_help_of_a_recipe_has() -> None:
    out = done("train", "clip", "--help")
    lines = out.splitlines()
    assert len(lines) < 50
    for flag in (
        *("--data PATH", "--out RUN", "--run.steps 3000", "--run.batch-size 128", "--run.seed 0"),
        *("--optim.lr 0.001", "--run.precision", "--run.workers", "--run.monitor"),
        *("--data.streams.image.size 64", "--model.encoders.image.depth 6", "--help-all"),
    ):
        assert flag in out
    assert sum(line.startswith("  weft train clip ") for line in lines) == 2


def test_all_settings_are_one_word_further(capsys: pytest.CaptureFixture[str]) -> None:
    out = done("train", "scenes", "--help-all")
    for flag in ("--out", "--run.steps", "--optim.lr", "--weights.contrastive", "--run.keep"):
        assert flag in out


def test_the_kept_settings_are_those_of_the_recipes() -> None:
    """If not: python -m weft.commands._essentials writes them again."""
    assert _essentials.kept() == _essentials.current()


@pytest.mark.parametrize("name", ["clip", "scenes_zh", "scenes_vqa", "nlvr"])
def test_every_setting_of_the_short_help_is_a_flag(name: str) -> None:
    base = recipe(name)
    words: list[str] = []
    for setting, value in _essentials.of(base).items():
        words += [f"--{setting.replace('_', '-')}", str(value)]
    assert parse(Arguments, words, "weft", default=Arguments(base)).recipe == base


RECIPE_FILES = {
    "recipe: clip\nrun: {steps: 77}\n": ["--run.steps 77", "runs/mine", "encoders.image.depth 6"],
    "recipe: clip\nmodel: {encoders: {image: encoders.ResNet}}\n": ["image.depth 18"],
}


@pytest.mark.parametrize("text", RECIPE_FILES)
def test_the_help_of_a_recipe_file_has_its_own_values(text: str, tmp_path: Path) -> None:
    """Also where it must be built to know them, since it has other parts."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    out = done("train", file, "--help")
    for flag in RECIPE_FILES[text]:
        assert flag in out


def test_the_help_of_a_recipe_for_own_rows_says_what_depends_on_them() -> None:
    out = done("train", "classify", "--help")
    assert "--run.steps N" in out
    assert "--data table.csv --target COLUMN" in out
    assert "--run.precision auto" in out
    assert "--image-model IMAGE_MODEL" in out


def test_help_of_a_recipe_that_is_not_there() -> None:
    assert "did you mean clip" in refused("train", "clpi", "--help")


@pytest.mark.parametrize("width", [44, 80])
def test_help_and_lists_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for words in (["--help"], ["list", "recipes"], ["list", "formats"]):
        assert max(map(len, done(*words).splitlines())) <= width
    lines = done("train", "clip", "--help").splitlines()
    assert max(len(line) for line in lines if not line.startswith(("  weft", "usage"))) <= width
