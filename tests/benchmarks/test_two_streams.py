"""The benchmark of two query streams on rows that lack streams, and on the rows that choose its weights."""

import sys
from pathlib import Path

import pytest
from three_texts import WORDS, trained, write

from benchmarks import two_streams

PART = WORDS[:2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("run"))


def measured(folder: Path, *words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["two_streams.py", str(folder / "run"), *words])
    two_streams.main()


def test_rows_that_lack_a_stream_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, [WORDS, PART, WORDS, WORDS], [WORDS] * 4)
    measured(folder, monkeypatch=monkeypatch)
    whole = capsys.readouterr().out
    write(folder, [WORDS, PART, WORDS, WORDS], [WORDS] * 4 + [PART, PART[:1]])
    measured(folder, monkeypatch=monkeypatch)
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "recall@1 among 4 rows of test, chance 25.00 %"
    assert others[0] == "rows left out because they lack a stream: 2"
    assert [first, *others[1:]] == whole.splitlines()
    assert len(others) == 1 + 6 + 3


@pytest.mark.parametrize(
    ("validation", "test", "words", "said"),
    [
        ([WORDS] * 4, [WORDS], ("--split", "validation"), "beside those of --split validation: 0"),
        ([WORDS] * 4, [WORDS], ("--split", "all"), "beside those of --split all: 0"),
        ([WORDS, PART], [WORDS], (), "beside those of --split test: 1, expected 2 or more"),
        ([WORDS] * 2, [PART], (), "no row of test has every stream: one, two, three"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    validation: list[tuple[str, ...]],
    test: list[tuple[str, ...]],
    words: tuple[str, ...],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(folder, validation, test)
    with pytest.raises(SystemExit) as left:
        measured(folder, *words, monkeypatch=monkeypatch)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
