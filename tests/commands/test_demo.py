"""`weft demo` in seconds instead of minutes, and its folder moved to another place."""

import json
import re
import shutil
from pathlib import Path

import pytest
from tiny_runs import done, read_rows, refused, unchanged

from weft.commands import _demo as demo
from weft.commands import _demo_plan
from weft.core.config import load
from weft.worlds.scenes import SPLITS

TINY = ("--speed", 1, "--minutes", 0.001, "--test", 12)


@pytest.fixture(scope="module")
def tiny() -> pytest.MonkeyPatch:
    """The least that a demo does is next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        least = {name: stage._replace(fewest=1) for name, stage in _demo_plan.STAGES.items()}
        patch.setattr(_demo_plan, "STAGES", least)
        patch.setattr(_demo_plan, "FEWEST_SCENES", 60)
        yield patch


@pytest.fixture(scope="module")
def finished(
    tiny: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, str]:
    """Where a demo was run, where it was moved to, and what it said."""
    first = tmp_path_factory.mktemp("work") / "demo"
    said = done("demo", *TINY, "--out", first)
    moved = tmp_path_factory.mktemp("elsewhere") / "renamed"
    shutil.move(first, moved)
    return first, moved, said


def test_it_ends_with_a_table_and_the_report(finished: tuple[Path, Path, str]) -> None:
    first, moved, said = finished
    lines = said.splitlines()
    assert lines[-1] == f"report: {first / 'report.html'}"
    assert said.count("text_to_image/recall@1 ") == 2
    assert "text_zh_to_image/recall@1" in said
    assert "macro_f1" in said
    assert "CIDEr-D" in said
    for stream in ("text", "text_zh"):
        why = (
            f"'{stream}' always get results, even if nothing fits: 12 rows of the validation split"
        )
        assert why in said
    page = (moved / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert "data:image/" in page
    assert page.count("<summary>Random sample of the predictions</summary>") == 2
    assert "without the question" in page  # explanations come with the answers


def test_what_it_leaves(finished: tuple[Path, Path, str]) -> None:
    _, folder, _ = finished
    rows = [
        json.loads(line) for line in (folder / "data" / "scenes.jsonl").read_text().splitlines()
    ]
    splits = [row["split"] for row in rows]
    assert {s: splits.count(s) for s in SPLITS} == {
        "train": 60,
        "validation": 12,
        "test": 12,
        "test_heldout": 12,
    }
    sizes = load(folder / "demo.json", _demo_plan.Plan)
    assert (sizes.speed, sizes.minutes, sizes.train) == (1, 0.001, 60)
    for run, steps in sizes.steps.items():
        assert (folder / run / "model.safetensors").exists()
        recipe = json.loads((folder / run / "recipe.json").read_text())
        assert recipe["run"]["steps"] == steps == 1
    card = json.loads((folder / "data" / "card.json").read_text())
    assert card


def test_what_it_tells_to_try_works_where_it_was_moved_to(
    finished: tuple[Path, Path, str],
) -> None:
    first, moved, said = finished
    for name, stream in ((_demo_plan.PRETRAINING, "text"), ("scenes_zh", "text_zh")):
        (words,) = re.findall(f'weft search {first / name} --text "(.+)"', said)
        rows = read_rows(moved / "data" / "scenes.jsonl")
        assert any(words in row[stream] for row in rows if row["split"] == "test_heldout")
        assert len(done("search", moved / name, "--text", words).splitlines()) == 6
        assert "leakage" in done("evaluate", moved / name)
    assert f"weft explain {first / 'scenes_questions'}" in said
    served = re.findall("weft serve (.+)", said)[0].split()
    assert served == [str(first / name) for name in _demo_plan.STAGES]
    for name in ("scenes_zh", "scenes_questions"):
        page = moved / name / "report.html"
        assert done("report", moved / name, "--card", "False").strip() == str(page)


def test_an_earlier_demo_is_removed(tmp_path: Path) -> None:
    sizes = _demo_plan.plan(600, 5.0)
    demo._clear(tmp_path / "new", sizes)
    (tmp_path / "new" / "scenes").mkdir()
    demo._clear(tmp_path / "new", sizes.replace(minutes=1.0))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["demo.json"]
    assert load(tmp_path / "new" / "demo.json", _demo_plan.Plan).minutes == 1.0


def test_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with unchanged(tmp_path):
        line = refused("demo", *TINY, "--out", tmp_path)
        assert f"{tmp_path}: holds something else" in line
        assert "thesis.txt" in refused("demo", *TINY, "--out", tmp_path / "thesis.txt")


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--test", 0), ("--seed", -1), ("--minutes", 0), ("--minutes", "inf"), ("--speed", 0)],
)
def test_impossible_sizes(flag: str, value: object, tmp_path: Path) -> None:
    demo._clear(tmp_path, _demo_plan.plan(600, 5.0))
    with unchanged(tmp_path):  # a mistake does not cost the earlier demo
        assert str(value) in refused("demo", *TINY, flag, value, "--out", tmp_path)


def test_the_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "WARM", 1)
    monkeypatch.setattr(demo, "TIMED", 1)
    assert demo._measured() >= 1
