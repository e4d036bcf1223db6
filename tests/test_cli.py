"""The command `weft` itself: its help, its exit codes, and that mistakes are one line."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import weft.commands.list as listing
from weft import __version__, cli
from weft.core.errors import WeftError

COMMANDS = (
    "caption",
    "convert",
    "data",
    "demo",
    "doctor",
    "index",
    "evaluate",
    "list",
    "report",
    "search",
    "train",
)


def test_usage_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["-h"]):
        assert cli.main(words) == 0
        said = capsys.readouterr()
        assert said.err == ""
        listed = [line.split()[0] for line in said.out.splitlines() if line.strip()]
        assert set(COMMANDS) <= set(listed)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    "words", [*([name] for name in COMMANDS), ["data", "check"], ["data", "prepare"]]
)
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main([*words, "--help"])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    assert code in (0, None)
    assert said.err == ""
    assert "weft " in said.out
    assert len(said.out.splitlines()) > 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["evaluaet"], "unknown command 'evaluaet': did you mean evaluate?"),
        (["--verison"], "unknown option '--verison': did you mean --version?"),
        (["data", "chek"], "unknown action of 'weft data' 'chek': did you mean check?"),
        (["list", "recipe"], "'recipes'"),
        (["search", "run", "--tekst", "a"], "unknown option --tekst; did you mean --text"),
        (["search", "run", "--top", "3"], "unknown option --top; did you mean --k?"),
        (["train", "clip", "--steps", "3"], "unknown option --steps; did you mean --run.steps?"),
        (["search", "run", "--k", "x"], "--k is 'x', expected a whole number\n"),
        (["fit", "t.csv", "--pair", "a"], "--pair is 'a', expected 2 values\n"),
        (["search", "run", "--zzzzqqqqxxxx", "a"], "unknown option --zzzzqqqqxxxx; --input zzzz"),
        (["doctor", "--zzzzqqqqxxxx", "a"], "unknown option --zzzzqqqqxxxx\n"),
        (["ask", "run", "--titel", "a"], "; --input titel=VALUE gives a stream or column by its"),
        (["train", "clip", "--ot", "x"], "unknown option --ot; did you mean --out"),
        (["train", "clip", "--optim.lr", "x"], "--optim.lr is 'x', expected a number\n"),
        (["train", "clip", "--run.steps", "-5"], "weft: run: steps is -5, expected at least 0\n"),
        (
            ["train", "clip", "--run.precision", "x"],
            "--run.precision is 'x', expected one of 'auto'",
        ),
        (["evaluate"], "needs one run directory"),
        (["train", "--steps", "3"], "expected a recipe's name"),
        (["train", "scnes"], "did you mean scenes"),
        (["doctor", "--fast"], "--fast"),
        (["demo", "--minutes", "-2"], "weft: --minutes is -2.0, expected a finite number above 0"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("weft: ")
    assert said.err.count("\n") == 1
    assert expected in said.err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (WeftError("two\nlines"), 2, "weft: two lines\n"),
        (ValueError("width is 0, expected 1"), 2, "weft: width is 0, expected 1\n"),
        (OSError(28, "No space left on device", "x"), 2, "weft: x: No space left on device"),
        (KeyboardInterrupt(), 130, "weft: interrupted\n"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_what_stops_a_command(
    error: BaseException,
    code: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(words: list[str]) -> None:
        raise error

    monkeypatch.setattr(listing, "main", fail)
    assert cli.main(["list"]) == code
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == line[:1].count("w")


def test_a_developer_can_have_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_TRACEBACK", "1")
    with pytest.raises(WeftError, match="unknown command"):
        cli.main(["serach"])


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: list[str]) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(listing, "main", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["list"])


def test_the_same_as_a_program() -> None:
    """Exit code and one line, where stdout is not UTF-8 too."""
    found = subprocess.run(
        [sys.executable, "-m", "weft.cli", "train", "scenes", "--run.stepz", "3"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert found.stdout == ""
    expected = "weft: unknown option --run.stepz; did you mean --run.steps?\n"
    assert found.stderr == expected


def test_a_reader_that_stops_early_is_no_error() -> None:
    words = [sys.executable, "-m", "weft.cli", "list", "recipes"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


def test_the_lines_of_a_log_are_in_order(tmp_path: Path) -> None:
    """stdout is a file here, which Python would write at the end; stderr is the same file."""
    table = tmp_path / "rows.csv"
    table.write_text("image,text\nnone.png,a dog\n")
    log = tmp_path / "log"
    with log.open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "weft.cli", "data", "check", table],
            stdout=file,
            stderr=file,
            cwd=tmp_path,
            check=False,
        )
    assert log.read_text().splitlines()[-1].startswith("weft: ")


def test_what_is_no_text_is_printed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", out)
    assert cli.main(["--version"]) == 0
    print("caf\udce9.png", flush=True)
    assert out.buffer.getvalue().endswith(b"caf\\udce9.png\n")  # type: ignore[attr-defined]
