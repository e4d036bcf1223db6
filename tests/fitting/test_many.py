"""Tables of very many columns and classes keep to the time."""

from pathlib import Path

import numpy as np
import pytest

import weft
from weft.fitting.boosting import trees_seconds
from weft.fitting.means import logistic_seconds


def wide(columns: int, rows: int = 60) -> list[dict[str, object]]:
    random = np.random.default_rng(0)
    values = random.normal(size=(rows, columns)).round(3)
    return [
        {**{f"n{place}": float(v) for place, v in enumerate(row)}, "y": float(row[:50].sum())}
        for row in values
    ]


def test_of_many_columns_a_part_is_read_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.fitting.wide.MANY", 20)
    monkeypatch.setattr("weft.fitting.wide.LEAST", 12)
    monkeypatch.setattr("weft.fitting.importance.LEAST", 3)
    monkeypatch.setattr("weft.fitting.fit.EXPLAINING", 0.0)
    found = weft.fit(wide(40), "y", minutes=0.001, out=tmp_path / "run")
    read = {name for entry in found.board.entries for name in entry.candidate.columns}
    assert len(read) == 12
    assert any(note.startswith("12 of 40 columns are used") for note in found.notes)
    assert any("of 3 of 12 columns was measured" in note for note in found.notes)
    again = weft.fit(wide(40), "y", minutes=0.001, out=tmp_path / "run")
    assert read == {name for entry in again.board.entries for name in entry.candidate.columns}


def test_what_was_left_out_is_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.fitting.wide.MANY", 20)
    monkeypatch.setattr("weft.fitting.wide.LEAST", 12)
    found = weft.fit(wide(40, rows=90), "y", minutes=0.001, out=tmp_path / "run")
    page = found.run.report(split="train").read_text()
    assert "12 of 40 columns are used" in page


def words(rows: int, classes: int) -> list[dict[str, object]]:
    return [
        {"text": f"the word{n % classes} is here {n}", "word": f"w{n % classes}"}
        for n in range(rows)
    ]


def test_of_many_classes_means_take_the_place_of_a_logistic_regression(tmp_path: Path) -> None:
    found = weft.fit(words(900, 300), "word", minutes=0.02, out=tmp_path / "run")
    assert any(note.startswith("300 classes: there is no time") for note in found.notes)
    assert found.board.recommended.candidate.model == "linear"
    assert found.board.recommended.estimate.value > 50
    assert found.run.predict([{"text": "the word7 is here"}])


def test_estimates_grow_with_what_is_computed() -> None:
    matrix = np.zeros((100, 50), np.float32)
    assert logistic_seconds(matrix, 2000) > 100 * logistic_seconds(matrix, 10)
    assert trees_seconds(1000, 20_000, 1) == pytest.approx(1000 * trees_seconds(1000, 20, 1))
