"""Several pictures a row: recipes with small towers, with cached features of frozen towers, and from shards."""

import json
import random
from pathlib import Path

import numpy as np
import published_models
import pytest
import torch
from PIL import Image
from tiny_runs import done

from weft.data.formats import open_dataset
from weft.inference.config import InferenceConfig
from weft.inference.predict import predict
from weft.runs.parts import open_split
from weft.runs.run import Run, load

ROWS = 24
FAST = (
    "--run.steps 2 --run.batch-size 4 --run.workers 0 --run.device cpu --run.precision fp32 "
    "--run.evaluate-every 2"
)
RECIPES = {
    "classify": "--target label",
    "retrieve": "--target report",
    "caption": "--target report",
    "answer": "--target colour --question question",
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One, two or three pictures a row; row 5 has none, row 7 lacks its report."""
    folder, draws = tmp_path_factory.mktemp("views"), random.Random(0)
    generator = np.random.default_rng(0)
    lines = []
    for n in range(ROWS):
        colour = draws.choice(["red", "blue"])
        views = [f"{n}-{view}.png" for view in range(1 + n % 3)]
        for name in views:
            pixels = generator.integers(0, 90, (12, 16, 3), dtype=np.uint8)
            pixels[..., 0 if colour == "red" else 2] += 120
            Image.fromarray(pixels).save(folder / name)
        row = {
            "views": [] if n == 5 else views,
            "report": None if n == 7 else f"a photo of the {colour} square, number {n} here",
            "question": draws.choice(["what colour is it?", "which colour is it then?"]),
            "colour": colour,
            "age": draws.randint(20, 90),
            "label": "warm" if colour == "red" else "cold",
            "split": ("train", "train", "validation", "test")[n % 4],
        }
        lines.append(json.dumps(row))
    (folder / "table.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "table.jsonl"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_models.clip(tmp_path_factory.mktemp("models") / "clip")


def trained(name: str, data: Path, folder: Path, *more: object) -> Run:
    words = (*RECIPES[name].split(), *more)
    done("train", name, *words, "--data", data, "--out", folder, *FAST.split())
    return load(folder, device="cpu")


@pytest.mark.parametrize("name", RECIPES)
def test_frozen_towers_are_computed_once_and_kept(
    name: str, table: Path, model: Path, tmp_path: Path
) -> None:
    cache = ("--data.cache.views.folder", tmp_path / "cache")
    run = trained(name, table, tmp_path / "run", "--image-model", model, *cache)
    assert set(run.recipe.data.cache) >= {"views"}
    assert list((tmp_path / "cache").rglob("*.safetensors"))
    done("evaluate", run.folder, "--audit", "False")
    if name == "classify":
        done("report", run.folder, "--card", "False")
    if name != "caption":
        done("explain", run.folder, "--rows", 1, "--deletion", 0)
    if name == "retrieve":
        assert done("search", run.folder, "--text", "a red square").strip()
        return
    dataset = open_split(run.recipe, "test")
    config = InferenceConfig(workers=0)
    kept = predict([run.member(dataset)], dataset, run.head(), config)
    raw = run.predict(rows=table)  # every row, read from its pictures
    places = {row: n for n, row in enumerate(raw.ids)}
    assert kept.said == [raw.said[places[row]] for row in kept.ids]
    if name != "caption":
        wanted = torch.stack([raw.values.probabilities[places[row]] for row in kept.ids])
        torch.testing.assert_close(kept.values.probabilities, wanted, atol=2e-3, rtol=0)


def test_shards_that_keep_them_train_as_the_table_does(table: Path, tmp_path: Path) -> None:
    done("data", "prepare", table, "--out", tmp_path / "shards")
    stored = open_dataset(tmp_path / "shards")
    numbers = sorted(
        len(row.items["views"]) for row in stored if isinstance(row.items.get("views"), list)
    )
    assert numbers.count(3) == ROWS // 3 - 1  # all but row 5
    for name in ("classify", "retrieve"):
        run = trained(name, tmp_path / "shards", tmp_path / name)
        done("evaluate", run.folder, "--audit", "False")
    both = [str(table.parent / "2-0.png"), str(table.parent / "2-1.png")]
    classify = load(tmp_path / "classify", device="cpu")
    assert classify.predict(views=[both], table=[{"age": 30}]).said[0] in ("warm", "cold")
