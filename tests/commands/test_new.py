"""`weft new`: the folder that it writes trains as it stands, with a part of one's own too."""

from pathlib import Path

import pytest
from tiny_runs import contents, done, refused

import weft
from weft.commands._starting_point import starting_point
from weft.core.config import load
from weft.data.sources import FilesConfig
from weft.runs.recipe import Recipe

SMALL = (
    *("--run.steps", 1, "--run.batch-size", 4, "--run.device", "cpu", "--run.workers", 0),
    *("--model.encoders.text.depth", 1, "--tasks.retrieval.resamples", 20),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "mine"
    out = done("new", folder)
    commands = [line.strip() for line in out.splitlines() if line.startswith("  weft ")]
    assert commands == [
        f"weft train {folder / 'recipe.yaml'}",
        "weft evaluate runs/mine",
        "weft report runs/mine",
    ]
    return folder


def test_it_trains_as_it_stands(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done("train", project / "recipe.yaml", *SMALL, "--model.encoders.image.depth", 1)
    made = load(tmp_path / "runs" / "mine" / "recipe.json", Recipe)
    assert made.data.source == FilesConfig(project / "data")
    assert "  images: " in done("evaluate", "runs/mine")


def test_its_settings_are_those_of_the_recipe_but_for_a_short_run(project: Path) -> None:
    found = starting_point(str(project / "recipe.yaml"))
    name, made = found.name, found.recipe()
    base = weft.recipe("clip")
    assert name == "mine"
    assert made.model == base.model
    assert made.optim == base.optim
    assert made.data.streams == base.data.streams
    assert (made.run.steps, made.run.batch_size) == (200, 16)
    text = (project / "recipe.yaml").read_text()
    assert all(
        "  # " in line for line in text.splitlines() if line.startswith("  ") and line[-1] != ":"
    )


def test_a_part_of_ones_own(project: Path, tmp_path: Path) -> None:
    text = (project / "recipe.yaml").read_text()
    own = project / "own.yaml"
    own.write_text(text.replace("recipe: clip", "recipe: my_parts.py:recipe", 1))
    done("train", own, *SMALL, "--out", tmp_path / "run")
    made = load(tmp_path / "run" / "recipe.json", Recipe)
    assert type(made.model.encoders["image"]).__name__ == "SmallConfig"
    own.unlink()


@pytest.mark.parametrize("name", ["scenes_questions", "siglip", "scenes_zh", "clips_any_to_any"])
def test_other_recipes(name: str, tmp_path: Path) -> None:
    done("new", tmp_path / "mine", "--recipe", name)
    made = starting_point(str(tmp_path / "mine" / "recipe.yaml")).recipe()
    rows = made.data.source.open("train")
    assert len(rows) > 40
    columns = {*made.data.streams, *(target.column for target in made.data.targets.values())}
    assert columns <= rows[0].items.keys()


def test_rows_of_ones_own(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("image,text\na.png,a dog\n")
    done("new", tmp_path / "mine", "--recipe", "flickr8k", "--data", table)
    assert not (tmp_path / "mine" / "data").exists()
    made = starting_point(str(tmp_path / "mine" / "recipe.yaml")).recipe()
    assert made.data.source == FilesConfig(table)


def test_a_recipe_for_a_table_of_ones_own(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    lines = [f"the report number {n} of a day,{'ab'[n % 2]},p{n // 2}" for n in range(40)]
    table.write_text("\n".join(["Befund,Art,Patient", *lines]) + "\n")
    own = ("--recipe", "classify", "--data", table, "--target", "Art", "--columns", "group=Patient")
    done("new", tmp_path / "mine", *own)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["recipe.yaml"]
    made = starting_point(str(tmp_path / "mine" / "recipe.yaml")).recipe()
    assert made.data.source == FilesConfig(table, columns={"group": "Patient"})
    assert list(made.data.streams) == ["Befund"]
    assert made.data.targets["label"].column == "Art"  # type: ignore[attr-defined]
    assert made.run.steps > 100
    without = ("new", tmp_path / "other", "--recipe", "classify")
    assert "name them with --data PATH" in refused(*without)
    assert "--target: got an empty value" in refused(*without, "--data", table, "--target")
    assert not (tmp_path / "other").exists()


def test_mistakes(project: Path, tmp_path: Path) -> None:
    before = contents(project)
    assert f"{project}: is not empty, expected a new folder" in refused("new", project)
    assert contents(project) == before
    target = tmp_path / "mine"
    assert "did you mean clip" in refused("new", target, "--recipe", "clpi")
    assert "name yours with --data" in refused("new", target, "--recipe", "flickr8k")
    assert "no such file" in refused("new", target, "--data", tmp_path / "none")
    assert not target.exists()
