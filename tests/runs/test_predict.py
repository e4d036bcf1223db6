"""`Run.predict` and `Run.read`: one way from values or rows to what the model says."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import refused

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))
sys.path.insert(0, str(Path(__file__).parent))

from every_task import WIDTH
from random_run import run_of

import weft
from weft.core.errors import WeftError
from weft.core.records import Field
from weft.decoders.classifier import ClassifierConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.inference.config import InferenceConfig
from weft.inference.predict import predict
from weft.runs.parts import open_split
from weft.runs.run import Run

PICTURES = [np.full((20, 30, 3), value, np.uint8) for value in (0, 80, 160, 240)]
ASKED = ["what is the color?", "is there a red circle?", "what shape is it?", "is it blue?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers questions about scenes, trained for two steps."""
    made = weft.recipe("scenes_questions")
    source = made.data.source
    scenes = source.scenes.replace(size=32)
    source = source.replace(train=24, validation=8, test=8, scenes=scenes)
    image = made.data.streams["image"].replace(size=32)
    objectives = {"answer": made.objectives["answer"]}
    targets = {"answer": made.data.targets["answer"]}
    streams = {**made.data.streams, "image": image}
    made = made.replace(
        data=made.data.replace(
            source=source, streams=streams, targets=targets, optional=("image",)
        ),
        objectives=objectives,
        weights={},
        tasks={"vqa": made.tasks["vqa"].replace(resamples=20)},
        run=made.run.replace(steps=2, batch_size=8, workers=0, device="cpu", precision="fp32"),
    )
    out = tmp_path_factory.mktemp("answers") / "run"
    weft.train(made, out)
    return out


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return weft.load(folder, device="cpu")


def test_many_are_as_each_alone(run: Run) -> None:
    found = run.predict(image=PICTURES, question=ASKED)
    assert found.head == "answer"
    assert found.rows == (0, 1, 2, 3)
    for row in range(4):
        alone = run.predict(head="answer", image=PICTURES[row], question=ASKED[row])
        torch.testing.assert_close(
            alone.values.probabilities[0], found.values.probabilities[row], atol=1e-5, rtol=0
        )
    assert found.said == [found.values.best(row, 3)[0][0] for row in range(4)]
    one = run.predict(image=PICTURES, question=ASKED[0])
    torch.testing.assert_close(one.values.probabilities[0], found.values.probabilities[0])


def test_rows_of_the_data_are_predicted_as_evaluation_does(run: Run) -> None:
    dataset = open_split(run.recipe, "test")
    samples = [dataset[row] for row in range(len(dataset))]
    mine = run.predict(rows=samples)
    members = [run.member(dataset)]
    theirs = predict(members, dataset, "answer", InferenceConfig(batch_size=3))
    assert mine.ids == theirs.ids
    torch.testing.assert_close(
        mine.values.probabilities, theirs.values.probabilities, atol=1e-5, rtol=0
    )


def test_a_row_is_read_with_what_it_has(run: Run) -> None:
    batch = run.read(image=[PICTURES[0], None], question=ASKED[:2])
    image = batch.inputs["image"]
    assert isinstance(image, Field)
    assert image.present is not None
    assert image.present.tolist() == [True, False]
    only = run.read(question=ASKED)
    assert set(only.inputs) == {"question"}
    assert len(only) == 4
    mixed = run.predict(image=[PICTURES[0], None], question=ASKED[:2])
    without = run.predict(question=ASKED[1])
    torch.testing.assert_close(
        mixed.values.probabilities[1], without.values.probabilities[0], atol=1e-5, rtol=0
    )


def test_the_head_that_reads_what_is_given(run: Run) -> None:
    """Of a model without fusion each head reads one stream."""
    heads = {
        stream: HeadConfig(ClassifierConfig(WIDTH, 10), ClassOutput("label"), context=stream)
        for stream in ("image", "text")
    }
    apart = run_of(fusion=None, heads=heads)
    assert apart.head() == "image"
    assert apart.head(given=["text"]) == "text"
    assert apart.head(given=["image", "text"]) == "image"
    assert len(apart.predict(text=["two dogs", "a red ball"])) == 2


def test_what_cannot_be_predicted_is_said(run: Run, scenes_run: Path) -> None:
    with pytest.raises(
        WeftError, match="unknown head of the run .* 'answers': did you mean answer"
    ):
        run.predict(head="answers", question="what?")
    with pytest.raises(WeftError, match="this run has no heads, so it predicts nothing"):
        weft.load(scenes_run).predict(text="a star")
    with pytest.raises(ValueError, match="got nothing, expected rows"):
        run.predict()


def test_a_run_of_before_heads_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (old / path.name).write_bytes(path.read_bytes())
    recipe = json.loads((old / "recipe.json").read_text())
    heads = recipe["model"].pop("heads")
    recipe["model"]["decoders"] = {name: head["decoder"] for name, head in heads.items()}
    (old / "recipe.json").write_text(json.dumps(recipe))
    for words in (("ask", old, "--text", "what?"), ("train", "--resume", old)):
        line = refused(*words)
        assert line.startswith(f"{old / 'recipe.json'}: was written before models had heads; train")


def same(run: Run, picture: object) -> None:
    """The picture is read as the array that it stands for."""
    found = run.read(image=picture, question="x").inputs["image"]
    expected = run.read(image=PICTURES[1], question="x").inputs["image"]
    assert isinstance(found, Field)
    assert isinstance(expected, Field)
    assert torch.equal(found.values, expected.values)


def test_a_picture_may_be_given_in_any_form(run: Run, tmp_path: Path) -> None:
    pixels = PICTURES[1]
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "a.png")
    same(run, tmp_path / "a.png")
    same(run, str(tmp_path / "a.png"))
    same(run, (tmp_path / "a.png").read_bytes())
    same(run, picture)
    same(run, picture.convert("L"))
    same(run, picture.convert("RGBA"))
    same(run, pixels[:, :, 0])
    same(run, pixels[:, :, :1])
    same(run, np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]))
    same(run, pixels / np.float32(255))


def test_an_array_whose_range_is_not_known_is_refused(run: Run) -> None:
    for array, said in (
        (PICTURES[1].astype(np.float32), "from 80 to 80, expected floating point from 0 to 1"),
        (PICTURES[1].astype(np.uint16), "is an array of uint16, expected uint8"),
        (PICTURES[1][None], "is an array of shape (1, 20, 30, 3), expected one picture"),
        (np.full((4, 4, 3), np.nan), "from nan to nan"),
        (3, "is a int, expected a path, bytes or an array"),
    ):
        with pytest.raises(WeftError, match=re.escape(said)):
            run.predict(image=array, question="x")


def test_a_run_measures_explains_and_reports(run: Run, tmp_path: Path) -> None:
    assert repr(run).startswith(f"Run({run.folder}: streams image, question, heads answer, ")
    result = run.evaluate(audited=False)
    assert result.task == "vqa"
    assert "accuracy" in result.metrics
    assert "95% interval" in repr(result)
    assert "<td>accuracy</td>" in result._repr_html_()
    found = run.predict(image=PICTURES, question=ASKED)
    first = found.values.best(0, 1)[0]
    assert repr(found).splitlines()[1].split() == ["0", *first[0].split(), f"{first[1]:.3f}"]
    assert found._repr_html_().count("<tr>") == 5
    (explained,) = run.explain(image=PICTURES[0], question=ASKED[0])
    assert repr(explained).startswith(explained.answer)
    assert "without the image" in repr(explained)
    assert "&lt;img" in explained._repr_html_()
    page = run.report(tmp_path / "page.html", card=False)
    assert page == tmp_path / "page.html"
    assert page.stat().st_size > 10_000
    assert not (run.folder / "metrics").exists()


def test_a_table_in_memory(run: Run) -> None:
    table = [{"image": p, "question": q} for p, q in zip(PICTURES, ASKED, strict=True)]
    found = run.predict(rows=table)
    expected = run.predict(image=PICTURES, question=ASKED)
    assert found.rows == expected.rows
    assert torch.equal(found.values.probabilities, expected.values.probabilities)
