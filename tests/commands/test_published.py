"""A published model from the command line: used as it is, trained further, averaged, exported."""

import json
from pathlib import Path

import numpy as np
import published_models
import pytest
from PIL import Image
from published_models import SIDE
from tiny_runs import done, refused

FEW = (
    *("--run.steps", 2, "--run.batch-size", 4, "--run.workers", 0, "--run.device", "cpu"),
    *("--run.evaluate-every", 0, "--run.checkpoint-every", 0, "--run.precision", "fp32"),
    *("--tasks.retrieval.resamples", 10),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_models.clip(tmp_path_factory.mktemp("model") / "clip")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    generator = np.random.default_rng(0)
    table = []
    for number in range(12):
        name, split = f"{number}.png", ("train", "validation", "test")[number % 3]
        pixels = generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
        label = ("red", "blue")[number % 2]
        table.append({"image": name, "text": f"a {label} star", "label": label, "split": split})
    lines = "\n".join(map(json.dumps, table))
    (folder / "rows.jsonl").write_text(f"{lines}\n")
    return folder / "rows.jsonl"


def test_used_without_training(
    model: Path, rows: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    out = done("convert", model, "--out", run)
    assert f"zero-shot: weft evaluate {run} --task zero_shot --data PATH" in out
    assert "accuracy@1" in done("evaluate", run, "--task", "zero_shot", "--data", rows)
    done("index", "build", run, "--data", rows)
    assert done("search", run, "--text", "a red star", "--k", 2).count(".png") >= 2
    assert "this recipe has no data of its own: name yours with --data" in refused("evaluate", run)
    assert "expected text: the streams of a model with two towers" in refused(
        "convert", model, "--out", tmp_path / "other", "--text", "question"
    )
    spoken = capfd.readouterr()
    assert "transformers" not in spoken.out + spoken.err


def test_trained_further_averaged_and_exported(model: Path, rows: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    start = ("train", "published", "--model", model, "--data", rows)
    assert "trained 2 steps" in done(*start, "--tune", "lora", *FEW, "--out", run)
    out = done("average", run, "--out", tmp_path / "averaged", "--alphas", 0, 1)
    assert "retrieval/rsum (sum of %) on the validation split" in out
    exported = tmp_path / "exported"
    out = done("export", tmp_path / "averaged", exported, "--to", "open_clip")
    assert f'open_clip.create_model_and_transforms("local-dir:{exported}")' in out
    config = json.loads((run / "recipe.json").read_text())
    assert config["model"]["encoders"]["image"]["mode"] == "lora"
    assert "unknown value of tune 'loro': did you mean lora" in refused(*start, "--tune", "loro")


def test_the_picture_size_is_the_model_s(
    model: Path, rows: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start = ("train", "published", "--model", model, "--data", rows, *FEW, "--run.steps", 0)
    size = "--data.streams.image.size"
    line = f"size is {SIDE // 2}, but model.encoders.image was made for {SIDE} pixels"
    done(*start, "--out", tmp_path / "own")
    assert line not in caplog.text
    done(*start, size, SIDE // 2, "--out", tmp_path / "smaller")
    assert line in caplog.text
    assert "expected multiples of the patch size" in refused(
        *start, size, SIDE // 2 + 1, "--out", tmp_path / "odd"
    )


def test_help_says_what_must_be_given() -> None:
    out = done("train", "published", "--help")
    assert "--model MODEL" in out
    assert "locked_image" in out
    assert "recipe 'published' needs --model MODEL" in refused("train", "published")


def test_a_recipe_file_names_the_model(model: Path, rows: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"recipe: published\nmodel: {model}\ntune: locked\ndata: {rows}\n")
    run = tmp_path / "run"
    done("train", file, *FEW, "--out", run)
    config = json.loads((run / "recipe.json").read_text())
    assert config["model"]["encoders"]["text"]["mode"] == "frozen"
    assert config["model"]["encoders"]["text"]["name"] == str(model)
