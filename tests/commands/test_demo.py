"""`weft demo` in seconds instead of minutes."""

import json
from pathlib import Path

import pytest
from tiny_runs import contents, done, refused, unchanged

from weft.core.config import save
from weft.recipes import recipe
from weft.worlds.scenes import SPLITS

TINY = ("--train", 60, "--test", 12, "--steps", 1, "--finetune-steps", 1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("work") / "demo"
    return out, done("demo", *TINY, "--out", out)


def test_it_ends_with_a_table_and_the_report(demo: tuple[Path, str]) -> None:
    folder, said = demo
    lines = said.splitlines()
    assert lines[-1] == f"report: {folder / 'report.html'}"
    assert said.count("text_to_image/recall@1 ") == 2
    assert "text_zh_to_image/recall@1" in said
    assert "macro_f1" in said
    assert "CIDEr-D" in said
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert "data:image/" in page
    assert page.count("<summary>Predictions, drawn at random</summary>") == 2
    assert "without the question" in page  # explanations come with the answers


def test_what_it_leaves(demo: tuple[Path, str]) -> None:
    folder, _ = demo
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
    for run in ("scenes", "scenes_zh", "scenes_questions", "scenes_captions"):
        assert (folder / run / "model.safetensors").exists()
    card = json.loads((folder / "data" / "card.json").read_text())
    assert card


def test_what_it_tells_to_try_works(demo: tuple[Path, str]) -> None:
    folder, said = demo
    assert f"weft search {folder / 'scenes'} --text" in said
    out = done("search", folder / "scenes", "--text", "a large red star above a blue square")
    assert len(out.splitlines()) == 6
    assert "leakage" in done("evaluate", folder / "scenes_zh")


def test_another_demo_replaces_it(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    before = contents(folder)
    done("demo", *TINY, "--steps", 0, "--finetune-steps", 0, "--seed", 1, "--out", folder)
    after = contents(folder)
    assert before["data/scenes.jsonl"] != after["data/scenes.jsonl"]
    assert before["scenes/model.safetensors"] != after["scenes/model.safetensors"]


def test_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with unchanged(tmp_path):
        line = refused("demo", *TINY, "--out", tmp_path)
        assert f"{tmp_path}: holds something else" in line
        assert "thesis.txt" in refused("demo", *TINY, "--out", tmp_path / "thesis.txt")


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--train", 0), ("--test", 0), ("--seed", -1), ("--steps", -1), ("--finetune-steps", "x")],
)
def test_impossible_sizes(flag: str, value: object, tmp_path: Path) -> None:
    line = refused("demo", *TINY, flag, value, "--out", tmp_path / "demo")
    assert str(value) in line
    assert not (tmp_path / "demo").exists()


def test_a_mistake_does_not_cost_the_earlier_demo(tmp_path: Path) -> None:
    save(recipe("scenes"), tmp_path / "demo.json")
    with unchanged(tmp_path):
        refused("demo", *TINY, "--steps", -1, "--out", tmp_path)
        refused("demo", *TINY, "--test", 0, "--out", tmp_path)
