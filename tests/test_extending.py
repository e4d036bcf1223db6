"""What docs/extending.md says works: its file of parts is trained, measured, explained and reported."""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weft.cli import main
from weft.core import trust

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
OF_STEPS = re.compile(r"steps\.(csv|py)")
"""A file in every command of the second example."""
LIMIT = 600
"""Seconds; the script takes at most a twentieth."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's Python files, as a person would write them."""
    folder = tmp_path_factory.mktemp("extending")
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        name, _, code = block.partition("\n")
        with (folder / name.removeprefix("# ")).open("a", encoding="utf-8") as file:
            file.write(f"{code}\n\n")
    return folder


@pytest.fixture
def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], tuple[int, str]]]:
    """Runs `weft WORDS` in the folder: its exit code, and what it wrote to stderr.

    As in a process of its own, no module of the folder is imported or trusted before.
    """
    monkeypatch.chdir(folder)

    def run(words: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "path", list(sys.path))
            patch.setattr(trust, "_named", set())
            forget()
            return main(shlex.split(words)), capsys.readouterr().err

    yield run
    forget()


def forget() -> None:
    """Removes the folder's modules from those that are imported."""
    for name in ("my_flats", "my_script", "my_steps"):
        sys.modules.pop(name, None)


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_the_page_runs(
    folder: Path,
    run: Callable[[str], tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And what needs its runs: workers share no folder, so this is one test."""
    with monkeypatch.context() as patch:
        check_the_page(folder, patch, capsys)
    check_that_a_run_alone_makes_nothing_run(folder, run)
    check_the_parts_of_a_script(folder, run)


def check_the_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(trust, "_named", set())
    assert {path.name for path in folder.glob("*.py")} == {
        *("make_flats.py", "my_flats.py", "a_script.py", "make_steps.py", "my_steps.py")
    }
    assert [words[1] for words in commands()].count("train") == 4
    for words in commands():
        if OF_STEPS.search(" ".join(words)):
            continue  # the second example, below
        if words[0] == "python":
            runpy.run_path(words[1], run_name="__main__")
        else:
            assert main(words[1:]) == 0, f"{words}: {capsys.readouterr().err}"
        if words[:2] == ["weft", "evaluate"]:
            metric = r"close .* %" if words[-1] == "close" else r"MAE .* euros ↓"
            assert re.search(metric, capsys.readouterr().out)
        if words[:2] == ["weft", "ask"]:
            assert re.fullmatch(r"\d+ euros\n", capsys.readouterr().out)
    # Each part is called by its name, and each flat is shown by its numbers.
    page = (folder / "runs" / "flats" / "explanations.html").read_text()
    for name in ("area", "rooms", "floor", "distance", "balcony"):
        assert f">{name}</span>" in page
    report = (folder / "runs" / "flats" / "report.html").read_text()
    assert re.search(r"<div>[\d.]+ \d \d [\d.]+</div>", report)
    assert "euros" in report
    runpy.run_path("a_script.py", run_name="__main__")
    assert re.search(r"\['\d+ euros'\]", capsys.readouterr().out)
    assert main(["ask", "runs/flats", "--trust", "my_flats.py", "--text", "a flat"]) == 2
    assert capsys.readouterr().err == (
        "weft: runs/flats: this run needs --input numbers=VALUE, for its stream 'numbers'\n"
    )
    del sys.modules["my_flats"]


def test_a_fifth_modality_is_trained_measured_and_shown(
    folder: Path, run: Callable[[str], tuple[int, str]]
) -> None:
    """From EDF files to a run; nothing of the kind is in the package."""
    runpy.run_path("make_steps.py", run_name="__main__")
    typed = [words for words in commands() if OF_STEPS.search(" ".join(words))]
    assert [words[1] for words in typed] == [
        "make_steps.py",
        "data",
        "train",
        "evaluate",
        "ask",
        "report",
    ]
    for words in typed[1:]:
        code, said = run(shlex.join(words[1:]))
        assert code == 0, f"{words}: {said}"
    kept = folder / "runs" / "steps"
    found = json.loads((kept / "metrics" / "classification-test.json").read_text())
    assert found["metrics"]["accuracy"]["value"] > 80  # chance is a third
    assert "data:image/" in (kept / "report.html").read_text()
    (folder / "cut.edf").write_bytes((folder / "steps" / "0.edf").read_bytes()[:2000])
    (folder / "table.edf").write_text("motion,activity\n")
    for name in ("cut.edf", "table.edf"):
        code, said = run(f"ask runs/steps --trust my_steps.py --input motion={name}")
        assert (code, said.count("\n")) == (2, 1)
        assert f"{name}: is no EDF file, or is cut off" in said


def check_that_a_run_alone_makes_nothing_run(
    folder: Path, run: Callable[[str], tuple[int, str]]
) -> None:
    """Its parts are in a file in the current folder, and it is not imported."""
    for words in ("evaluate runs/flats", "train --resume runs/wide"):
        code, said = run(words)
        assert code == 2
        (line,) = said.splitlines()
        assert "recipe.json: has parts from my_flats" in line
        assert "--trust my_flats" in line
        assert "my_flats" not in sys.modules


SCRIPT = """
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from my_flats import *
import weft

@dataclass(frozen=True)
class OtherConfig(MeasurementsEncoderConfig):
    pass

if __name__ == "__main__":
    recipe = flats()
    encoders = {**recipe.model.encoders, "numbers": OtherConfig(4, DIM)}
    recipe = recipe.replace(
        model=recipe.model.replace(encoders=encoders), run=recipe.run.replace(steps=2)
    )
    weft.train(recipe, "runs/script")
    kept = weft.load("runs/script").recipe
    assert kept.model == recipe.model and kept.objectives == recipe.objectives
    assert kept.data.source == recipe.data.source.absolute()
"""


def check_the_parts_of_a_script(folder: Path, run: Callable[[str], tuple[int, str]]) -> None:
    (folder / "my_script.py").write_text(SCRIPT)
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "my_script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "has parts from my_flats, my_script, which weft imports only"
        in run("evaluate runs/script")[1]
    )
    code, said = run("evaluate runs/script --trust my_flats --trust my_script.py")
    assert code == 0, said
    # In the script itself both are there; elsewhere the one that it imports must be named as well.
    code, said = run("evaluate runs/script --trust my_script")
    assert code == 2
    assert "--trust my_flats" in said
