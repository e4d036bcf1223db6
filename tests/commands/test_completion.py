"""`weft completion`: what it offers, and that a real bash completes with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from limits import LIMIT_S
from tiny_runs import done, refused

from weft.commands._completing import candidates
from weft.recipes import names


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("runs/first", "runs/demo/scenes", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "recipe.json").write_text("{}")
    (tmp_path / "runs" / "no_run").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ev"], ["evaluate"]),
        (["--v"], ["--version"]),
        (["train", "flickr8k_c"], ["flickr8k_captions", "flickr8k_captions_zh"]),
        (["train", "clip", "--run.st"], ["--run.steps"]),
        (["train", "clip", "--he"], ["--help", "--help-all"]),
        (["train", "--res"], ["--resume"]),
        (["train", "--resume", "r"], ["runs/demo/scenes", "runs/first"]),
        (["evaluate", ""], ["elsewhere", "runs/demo/scenes", "runs/first"]),
        (["evaluate", "runs/f"], ["runs/first"]),
        (["search", "runs/first", "--te"], ["--text"]),
        (["index", ""], ["add", "build", "remove", "verify"]),
        (["index", "build", "runs/first", "--me"], ["--metadata"]),
        (["explain", "runs/first", "--method", "r"], ["relevance", "rollout"]),
        (["list", "p"], ["parts"]),
        (["data", "ch"], ["check"]),
        (["data", "prepare", "x", "--eng"], ["--engine"]),
        (["data", "prepare", "x", "--engine", "d"], ["daft"]),
        (["new", "x", "--recipe", ""], []),
        (["compare", "sig"], ["siglip"]),
        (["no_command", ""], []),
        (["search", "runs/first", "--image", ""], []),
    ],
)
def test_what_may_follow(words: list[str], expected: list[str], runs: Path) -> None:
    assert candidates(words) == expected


def test_every_recipe_is_offered(runs: Path) -> None:
    assert candidates(["train", ""]) == sorted(names())


def test_a_real_bash_completes(runs: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    weft = runs / "weft"
    weft.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m weft.cli "$@"\n')
    weft.chmod(0o755)
    (runs / "weft.bash").write_text(done("completion", "bash"))
    script = """
source weft.bash
complete -p weft
for line in "weft sea" "weft evaluate runs/fi" "weft train clip --optim"; do
    COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _weft
    echo "${COMPREPLY[*]}"
done
"""
    environment = {**os.environ, "PATH": f"{runs}:{os.environ['PATH']}"}
    said = subprocess.run(
        [bash, "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=LIMIT_S,
    )
    lines = said.stdout.splitlines()
    assert lines == ["complete -o default -F _weft weft", "search", "runs/first", "--optim.lr"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_other_shells_are_read_by_them(shell: str, tmp_path: Path) -> None:
    text = done("completion", shell)
    assert "completion words" in text
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    (tmp_path / "script").write_text(text)
    subprocess.run([program, "-n", tmp_path / "script"], check=True, timeout=LIMIT_S)


def test_mistakes() -> None:
    assert "'bash', 'zsh', 'fish'" in refused("completion", "tcsh")
    assert "source <(weft completion bash)" in done("completion", "--help")
