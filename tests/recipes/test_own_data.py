"""Recipes for own data: from a table with gaps to a run that predicts."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weft.commands._own_data import OwnLabels
from weft.commands._own_input import OwnInput
from weft.commands.search import main as search
from weft.commands.train import main
from weft.core.errors import WeftError
from weft.data.schema import Column, Schema, infer
from weft.data.sources import FilesConfig
from weft.inference.diagnostics import Diagnostics
from weft.modalities.pictures import PicturesConfig
from weft.recipes import function as function_of
from weft.recipes import names, reads_schema, recipe
from weft.runs.check import check_names
from weft.runs.measure import measure
from weft.runs.own_columns import schema_of
from weft.runs.recipe import Recipe
from weft.runs.run import Run, load
from weft.tasks.classification import ClassificationTaskConfig

ROWS = 48
OWN = ("answer", "caption", "classify", "dialog", "regress", "retrieve", "tag", "translate")
FAST = "--run.steps 2 --run.batch-size 8 --run.workers 0 --run.device cpu --run.precision fp32"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, texts, numbers, categories, dates; some rows lack some of them."""
    folder, draws = tmp_path_factory.mktemp("own"), random.Random(0)
    (folder / "images").mkdir()
    with (folder / "table.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                "image",
                "report",
                "age",
                "ward",
                "seen",
                "label",
                "tags",
                "price",
                "question",
                "colour",
            ]
        )
        for n in range(ROWS):
            colour, age = draws.choice(["red", "blue"]), draws.randint(20, 90)
            pixels = np.full((16, 16, 3), (200, 30, 30) if colour == "red" else (30, 30, 200))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{n}.png")
            rows.writerow(
                [
                    f"{n}.png" if n % 9 else "",
                    f"report number {n}: the picture is quite {colour}",
                    age if n % 7 else "",
                    draws.choice(["north", "south"]) if n % 5 else "",
                    f"2026-03-{1 + n % 28:02}",
                    ("sick" if age > 55 else "well") if n % 6 else "",
                    f"{colour}; old" if age > 60 else colour,
                    f"{1000 * age + draws.random():.2f}",
                    draws.choice(["what colour is the picture now?", "which colour is it then?"]),
                    colour,
                ]
            )
    return folder / "table.csv"


def trained(table: Path, words: str, folder: Path) -> Run:
    main([*words.split(), "--data", str(table), "--out", str(folder), *FAST.split()])
    return load(folder, device="cpu")


def told(run: Run, task: str) -> Diagnostics:
    return measure([run], task, audited=False).result.diagnostics


def test_every_recipe_for_own_data_is_known() -> None:
    assert tuple(name for name in names() if reads_schema(function_of(name))) == OWN
    for name in OWN:
        with pytest.raises(
            WeftError, match=rf"recipe '{name}' is made for rows of your own: .* --data"
        ):
            recipe(name)


def test_a_label_from_all_columns(table: Path, tmp_path: Path) -> None:
    run = trained(table, "classify --target label", tmp_path / "run")
    data = run.recipe.data
    assert set(data.streams) == {"image", "report", "table", "tags"}
    table_stream = data.streams["table"]
    assert table_stream.columns == (  # type: ignore[attr-defined]
        *("age", "price"),
        *("ward", "question", "colour"),
        "seen",
    )
    found = told(run, "classification")
    assert found.confusion is not None
    assert found.class_counts is not None
    assert found.class_counts.counts[0].training is not None
    assert [one.column for one in found.slices] == [
        "ward",
        "question",
        "colour",
        "age",
        "price",
        "seen",
    ]
    said = run.predict(
        table=[{"age": 70, "ward": "north"}, {"age": 30}],
        report=["the picture is red", None],
    )
    assert set(said.said) <= {"sick", "well"}
    asked = OwnInput(text="the picture is red", input=("age=70", "ward=north"))
    values = asked.values(run, list(data.streams))
    assert values == {"report": "the picture is red", "table": {"age": "70", "ward": "north"}}
    assert run.predict(**values).said[0] in ("sick", "well")
    with pytest.raises(WeftError, match="unknown stream or column of --input 'weight': .*known: "):
        OwnInput(input=("weight=3",)).values(run, list(data.streams))
    with pytest.raises(WeftError, match="run: this run has no embeddings"):
        search([str(run.folder), "--text", "red"])


def test_tags_of_a_row(table: Path, tmp_path: Path) -> None:
    run = trained(table, "tag", tmp_path / "run")
    found = told(run, "tagging")
    assert found.reliability is not None
    assert found.class_counts is not None
    assert {one.name for one in found.class_counts.counts} == {"red", "blue", "old"}
    # The threshold is chosen on the validation split, and kept with the run.
    measured = measure([run], "tagging", split="validation", audited=False).result
    assert measured.protocol["threshold_from"] == "the validation split"
    assert run.learned.thresholds == {"tags": measured.protocol["threshold"]}
    for other in (0.01, 0.5, 0.99):
        run.learned.thresholds["tags"] = other
        worse = measure([run], "tagging", split="validation", audited=False).result
        assert worse.metrics["micro_f1"].value <= measured.metrics["micro_f1"].value
    (values,) = run.predict(report="a red picture").values.probabilities
    assert values.shape == (3,)


def test_a_number_in_its_own_scale(table: Path, tmp_path: Path) -> None:
    run = trained(table, "regress --target price", tmp_path / "run")
    result = measure([run], "regression", audited=False).result
    # After two steps the mean of the prices, about 55,000, is what is said: the scale is the table's.
    assert result.metrics["MAE"].value < 1.3 * result.baselines["mean for all"]["MAE"]
    assert result.diagnostics.residuals is not None


def test_texts_and_pictures(table: Path, tmp_path: Path) -> None:
    run = trained(table, "retrieve --target report", tmp_path / "search")
    assert set(run.streams) == {"image", "report"}
    written = trained(table, "caption --target report", tmp_path / "caption")
    assert isinstance(written.predict(image=str(table.parent / "images" / "1.png")).said[0], str)
    asked = trained(table, "answer --target colour --question question", tmp_path / "answer")
    assert set(asked.recipe.data.streams) == {"image", "question"}
    picture = str(table.parent / "images" / "1.png")
    assert asked.predict(image=picture, question="which colour is it?").said[0] in ("red", "blue")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("classify", None),
        ("regress", r"which column .* --target COLUMN: age \(\d+ different\), price"),
        ("classify --target price", "target 'price' is a number: weft train regress predicts that"),
        ("regress --target label", "target 'label' is a category: weft train classify predicts"),
        ("tag --target label", "target 'label' is a category: weft train classify predicts"),
        ("classify --target labl", "unknown column 'labl': did you mean label"),
        ("retrieve --target age", "target 'age' is no column of texts"),
        ("answer --question quest", "unknown column 'quest', known: image"),
        ("classify --tune half", "unknown value of tune 'half'"),
    ],
)
def test_what_is_not_clear_is_one_line(table: Path, words: str, said: str | None) -> None:
    name, _, rest = words.partition(" ")
    given = dict(zip((w[2:] for w in rest.split()[::2]), rest.split()[1::2], strict=True))
    schema = infer(FilesConfig(table).open_every())
    if said is None:  # the one of several categories that is called label
        assert recipe(name, schema=schema, **given).data.targets["label"].column == "label"  # type: ignore[attr-defined]
        return
    with pytest.raises(WeftError, match=said) as caught:
        recipe(name, schema=schema, **given)
    assert "\n" not in str(caught.value)


def column(name: str, kind: str, distinct: int = 5) -> Column:
    return Column(name, kind, False, "", 0, distinct, ())  # type: ignore[arg-type]


def made(make: Callable[..., Recipe], rows: int, *columns: Column, **given: str) -> Recipe:
    schema = Schema({one.name: one for one in columns}, None, None, None, rows)
    return make(schema, **given)


def test_a_misspelt_dialog_column_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    turns = "".join(f"a.png,{n // 3},what is {n}?,yes\n" for n in range(12))
    (tmp_path / "turns.csv").write_text(f"image,dialoge,question,answer\n{turns}")
    with pytest.raises(WeftError, match=r"no column 'dialog', but 'dialoge'; rename it"):
        main(["dialog", "--data", str(tmp_path / "turns.csv"), "--out", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_sizes_follow_the_table() -> None:
    classify = function_of("classify")
    label, views = column("label", "category", 40), column("views", "images")
    small = made(classify, 200, label, views)
    assert small.run.batch_size * small.run.steps >= 30 * 160 // 2
    assert isinstance(small.data.streams["views"], PicturesConfig)
    assert small.model.heads["label"].decoder.outputs == 40  # type: ignore[attr-defined]
    large = made(classify, 100_000, label, views)
    assert large.model.heads["label"].decoder.outputs == 90  # type: ignore[attr-defined]
    assert large.run.steps <= 1500
    assert large.run.batch_size == 128
    sounds = made(classify, 100_000, label, column("call", "audio"))
    assert sounds.run.batch_size == 64
    slices = made(classify, 200, label, column("ward", "category"), column("age", "number"))
    task = slices.tasks["classification"]
    assert isinstance(task, ClassificationTaskConfig)
    assert task.slices == ("ward", "age")
    with pytest.raises(WeftError, match="there is nothing to learn from"):
        made(classify, 200, label, column("id", "id"))


@pytest.mark.parametrize("name", ["size.cm", "items", "table", "training", "label", "a/b"])
def test_a_column_may_have_any_name(name: str) -> None:
    columns = column("mood", "category"), column(name, "text"), column("age", "number")
    found = made(function_of("classify"), 200, *columns, target="mood")
    assert len(found.model.build().encoders) == 2
    assert name in found.data.streams
    assert found.data.streams.keys().isdisjoint(found.data.targets)
    check_names(found)


def test_labels_that_differ_in_case_are_one(tmp_path: Path) -> None:
    """In the schema with a count, in targets, streams and the result."""
    rows = [
        {"label": ("Cat", "cat", "DOG", "dog")[n % 4], "place": ("In", "in")[n % 2], "size": n % 7}
        for n in range(40)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    said = OwnLabels(merge_labels="case").said()
    schema = schema_of(tmp_path / "t.jsonl", said)
    assert schema.columns["label"].distinct == 2
    assert schema.rows == len(FilesConfig(tmp_path / "t.jsonl").open("train")) < 40
    assert any(
        note.startswith("2 labels of ") and note.endswith(" rows merged with another spelling")
        for note in schema.columns["label"].notes
    )
    run = trained(
        tmp_path / "t.jsonl", "classify --target label --merge-labels case", tmp_path / "run"
    )
    classes = run.learned.targets["label"].classes  # type: ignore[attr-defined]
    assert sorted(name.lower() for name in classes) == ["cat", "dog"]
    result = measure([run], "classification", audited=False).result
    assert result.protocol["labels_not_known"] == 0
    assert result.diagnostics.confusion is not None
    assert set(result.diagnostics.confusion.labels) <= set(classes)
    table = run.modalities["table"]
    assert table.decode({"place": "IN"}) == {"size": None, "place": "IN"}
    with pytest.raises(WeftError, match="--merge-labels: got 'signs', expected case, blanks"):
        OwnLabels(merge_labels="signs").said()
    with pytest.raises(WeftError, match="--merge-labels is for recipes that are made for own rows"):
        main(["clip", "--data", str(tmp_path / "t.jsonl"), "--merge-labels", "case"])
