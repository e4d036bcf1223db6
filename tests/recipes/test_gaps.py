"""Every recipe for own data over rows that lack something: a column here and there, in all test rows, a
picture in a whole batch; and rows that lack it when they are predicted."""

import csv
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import published_models
import pytest
from PIL import Image
from tiny_runs import done, refused

from weft.core.errors import WeftError
from weft.recipes import function, names, reads_schema
from weft.runs.measure import measure
from weft.runs.run import Run, load

ROWS = 48
WORDS = "a photo of the {} circle above the {} square, number {}"
SPLITS = ("train", "train", "validation", "test")
COLUMNS = (
    *("image", "report", "age", "ward", "seen"),
    *("tags", "price", "question", "colour", "label"),
)
"""Row n lacks COLUMNS[n % 11]; the eleventh row lacks nothing."""
RECIPES = {
    "classify": ("--target label", "label", "classification"),
    "tag": ("--target tags", "tags", "tagging"),
    "regress": ("--target price", "price", "regression"),
    "answer": ("--target colour --question question", "colour", "vqa"),
    "dialog": ("--target colour --question question", "colour", "dialog"),
    "retrieve": ("--target report", None, "retrieval"),
    "caption": ("--target report", "report", "captioning"),
    "translate": ("--target report --source question", "report", "translation"),
    "published": ("--columns text=report", None, "retrieval"),
}
"""Recipe -> its words, what it predicts, and its task."""
FAST = (
    "--run.steps 2 --run.batch-size 4 --run.workers 0 --run.device cpu --run.precision fp32 "
    "--run.evaluate-every 2"
)
Row = dict[str, object]


class Table:
    """Rows with gaps, their pictures, and copies of the table that lack more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "images").mkdir()
        draws = random.Random(0)
        self.rows = [self._row(n, draws) for n in range(ROWS)]
        self.path = self.written("table", self.rows)

    def _row(self, n: int, draws: random.Random) -> Row:
        colour, age = draws.choice(["red", "blue"]), draws.randint(20, 90)
        pixels = np.full((16, 20, 3), (200, 30, 30) if colour == "red" else (30, 30, 200))
        Image.fromarray(pixels.astype(np.uint8)).save(self.folder / "images" / f"{n}.png")
        row: Row = {
            "image": f"{n}.png",
            "report": WORDS.format(colour, draws.choice(["large", "small"]), n),
            "age": age,
            "ward": draws.choice(["north", "south"]),
            "seen": f"2026-03-{1 + n % 28:02}",
            "tags": f"{colour}; {'old' if age > 55 else 'young'}",
            "price": f"{1000 * age + draws.random():.2f}",
            "question": draws.choice(["what colour is it?", "which colour is it then?"]),
            "colour": colour,
            "label": "sick" if age > 55 else "well",
            "split": SPLITS[n % 4],
        }
        return row | {name: "" for place, name in enumerate(COLUMNS) if n % 11 == place}

    def written(self, name: str, rows: Iterable[Mapping[str, object]]) -> Path:
        with (self.folder / f"{name}.csv").open("w", newline="") as file:
            lines = csv.DictWriter(file, [*COLUMNS, "split"])
            lines.writeheader()
            lines.writerows(rows)
        return self.folder / f"{name}.csv"

    def lacking(self, column: str, *splits: str) -> Path:
        """The table whose rows of these splits lack the column."""
        rows = [row | {column: ""} if row["split"] in splits else row for row in self.rows]
        return self.written(f"{column}-{'-'.join(splits)}", rows)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return Table(tmp_path_factory.mktemp("gaps"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_models.clip(tmp_path_factory.mktemp("models") / "clip")


def trained(name: str, data: Path, folder: Path, model: Path) -> Run:
    words, _, task = RECIPES[name]
    few = (f"--tasks.{task}.examples", 1, f"--tasks.{task}.resamples", 20, *FAST.split())
    published = ["--model", model] if name == "published" else []
    done("train", name, *words.split(), *published, "--data", data, "--out", folder, *few)
    return load(folder, device="cpu")


def test_every_recipe_for_own_data_is_walked() -> None:
    assert {"published", *filter(lambda n: reads_schema(function(n)), names())} == RECIPES.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_rows_with_gaps(name: str, table: Table, model: Path, tmp_path: Path) -> None:
    run = trained(name, table.path, tmp_path / "run", model)
    _, target, task = RECIPES[name]
    read = set(run.recipe.data.streams) | set(getattr(run.modalities.get("table"), "columns", ()))
    paired = {"retrieve", "published", "caption"}
    needed = {target} | ({"image", "report"} if name in paired else set())
    needed |= {"question"} if name in ("dialog", "translate") else set()
    for column in COLUMNS:
        other = {"data": table.lacking(column, "test"), "split": "test", "audited": False}
        if column in needed:
            with pytest.raises(
                WeftError, match="no row|none of the 12 rows can be used|of 12 rows are bad"
            ):
                measure([run], task, **other)  # type: ignore[arg-type]
        elif column in read | {"ward"}:  # a stream, a column of the table, a column of slices
            assert measure([run], task, **other).result.metrics  # type: ignore[arg-type]
    done("report", run.folder, "--card", "False")
    if name not in ("tag", "regress"):  # explained by the same code as classify
        done("explain", run.folder, "--rows", 1, "--deletion", int(name == "answer"))
        assert (run.folder / "explanations.html").read_text().count("<h3>") == 1


@pytest.mark.parametrize("name", ["classify", "tag", "regress", "answer", "caption"])
def test_a_row_that_lacks_a_column_is_predicted(
    name: str, table: Table, model: Path, tmp_path: Path
) -> None:
    run = trained(name, table.path, tmp_path / "run", model)
    whole = next(row for row in table.rows if all(row.values()))
    for column in COLUMNS:
        rows = [whole, whole | {column: ""}]
        one = 1 if name == "caption" and column == "image" else 2
        assert len(run.predict(rows=table.written("new", rows))) == one
        line = table.written("new", [{column: whole[column]}])
        if column in run.recipe.data.streams and (name, column) != ("caption", "report"):
            assert len(run.predict(rows=line)) == 1  # the one column that it has


@pytest.mark.parametrize("name", ["classify", "answer"])
def test_a_batch_without_a_picture(name: str, table: Table, model: Path, tmp_path: Path) -> None:
    """One row of 16 has a picture, none of the validation and test rows."""
    rows = [row | {"image": ""} if n % 16 else row for n, row in enumerate(table.rows)]
    run = trained(name, table.written("batch", rows), tmp_path / "run", model)
    done("evaluate", run.folder, "--audit", "False")
    done("explain", run.folder, "--rows", 1, "--deletion", 0)


def test_a_column_that_no_training_row_has_is_no_input(
    table: Table, model: Path, tmp_path: Path
) -> None:
    gone = ("image", "report", "age", "ward")
    rows = [row | dict.fromkeys(gone, "") if row["split"] != "test" else row for row in table.rows]
    run = trained("classify", table.written("gone", rows), tmp_path / "run", model)
    assert set(run.recipe.data.streams) == {"question", "table", "tags"}
    assert not set(gone) & set(run.modalities["table"].columns)  # type: ignore[attr-defined]
    done("evaluate", run.folder, "--audit", "False")


def test_streams_that_meet_in_no_row_are_missed_before_training(
    table: Table, model: Path, tmp_path: Path
) -> None:
    words = ("--data", table.lacking("image", "validation"), "--out", tmp_path / "run")
    line = refused("train", "retrieve", "--target", "report", *words, *FAST.split())
    assert line.startswith("no row of split 'validation' has image and report, which tasks.")
    assert line.endswith("needs (of 12 rows have: image 0, report 11)")
    rows = [row | {("image", "report")[n // 2 % 2]: ""} for n, row in enumerate(table.rows)]
    data = table.written("apart", [row | {"split": "train"} for row in rows])
    words = ("--data", data, "--out", tmp_path / "run")
    for name, more in (("retrieve", ()), ("published", ("--model", model))):
        line = refused("train", name, "--columns", "text=report", *more, *words, *FAST.split())
        assert line.startswith("no row of split 'train' has image and text, which objectives.")
    assert not (tmp_path / "run").exists()


def test_rows_without_a_target_are_not_bad(table: Table, model: Path, tmp_path: Path) -> None:
    """Half of the training rows and most test rows have no label."""
    rows = [
        row | {"label": ""} if n % 8 in (0, 3) and n < 40 else row
        for n, row in enumerate(table.rows)
    ]
    run = trained("classify", table.written("some", rows), tmp_path / "run", model)
    found = measure([run], "classification", audited=False).result
    labelled = [row for row in rows if row["split"] == "test" and row["label"]]
    assert found.protocol["rows"] == len(labelled)
    assert 0 < len(labelled) < 12
