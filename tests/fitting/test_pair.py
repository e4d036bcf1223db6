"""Columns that find each other: chance, linear projections, the recipe `retrieve`."""

from pathlib import Path

import numpy as np
import pytest
from fitting_tables import write_table
from PIL import Image
from tiny_runs import done, refused

import weft
from weft.fitting.correlation import correlated
from weft.fitting.result import FitResult
from weft.fitting.settings import FitSettings
from weft.runs.measure import measure
from weft.runs.run import load

COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 180, 40),
    "blue": (30, 50, 200),
    "white": (230, 230, 230),
}


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    """Pictures of two colours, left and right, and texts that name them."""
    folder = tmp_path_factory.mktemp("colours")
    random, rows = np.random.default_rng(0), []
    for n in range(64):
        left, right = random.choice(list(COLOURS), 2)
        pixels = np.zeros((32, 32, 3))
        pixels[:, :16], pixels[:, 16:] = COLOURS[left], COLOURS[right]
        noisy = np.clip(pixels + random.normal(size=pixels.shape) * 8, 0, 255)
        Image.fromarray(noisy.astype(np.uint8)).save(folder / f"p{n}.png")
        rows.append({"image": f"p{n}.png", "text": f"{left} beside {right}, number {n % 7}"})
    table = write_table(folder / "colours.csv", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.fitting.trained_pair.TrainedPair.plan_steps", lambda *_: 4)
        return weft.fit(
            table,
            pair=("image", "text"),
            out=folder / "run",
            settings=FitSettings(folds=2, image_model="none"),
        )


def test_projections_find_what_chance_does_not(colours: FitResult) -> None:
    scores = {entry.candidate.name: entry.estimate.value for entry in colours.board.entries}
    assert scores.keys() == {"chance", "linear projections", "retrieve"}
    assert scores["chance"] == pytest.approx(100 * 10 / 32, abs=3)
    assert scores["linear projections"] > 55
    assert colours.board.recommended.candidate.name != "chance"


def test_the_run_is_searched_and_measured_like_any_other(colours: FitResult) -> None:
    run = load(colours.folder)
    found = measure([run], "retrieval", split="train").result
    assert found.metrics["image_to_text/recall@10"].value > 50
    vectors = run.embed(text=["red beside blue", "white beside green"])
    assert vectors.shape[0] == 2
    assert "64 entries of stream 'image' indexed" in done(
        "index", "build", colours.folder, "--split", "train"
    )


def test_columns_that_cannot_be_searched(colours: FitResult, tmp_path: Path) -> None:
    table = colours.folder.parent / "colours.csv"
    said = refused(
        "fit", table, "--pair", "image", "caption", "--out", tmp_path / "run", after_steps=True
    )
    assert "unknown column 'caption'" in said
    both = refused("fit", table, "--pair", "image", "text", "--target", "text", after_steps=True)
    assert "got --target and --pair" in both


def test_correlated_directions_are_found_and_noise_is_not() -> None:
    random = np.random.default_rng(0)
    shared = random.normal(size=(400, 4))
    first = shared @ random.normal(size=(4, 6)) + 0.1 * random.normal(size=(400, 6))
    second = shared @ random.normal(size=(4, 5)) + 0.1 * random.normal(size=(400, 5))
    maps = correlated(first[:300], second[:300], [0.01])[0]
    one, other = maps.vectors(0, first[300:]), maps.vectors(1, second[300:])
    right = (one @ other.T).argmax(1) == np.arange(100)
    assert right.mean() > 0.3
    noise = correlated(first[:300], random.normal(size=(300, 5)), [0.01])[0]
    lost = noise.vectors(0, first[300:]) @ noise.vectors(1, second[300:]).T
    assert (lost.argmax(1) == np.arange(100)).mean() < 0.1


def test_fewer_rows_than_features_have_the_same_maps() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 40, 12))
    basis = np.linalg.qr(random.normal(size=(60, 12)))[0].T  # the same rows among 60 features
    few = correlated(first, second, [0.1])[0].vectors(0, first)
    ridge = (
        0.1 * 60 / 12
    )  # in parts of the mean variance, which 48 more features without any divide
    wide = correlated(first @ basis, second @ basis, [ridge])[0].vectors(0, first @ basis)
    np.testing.assert_allclose(wide @ wide.T, few @ few.T, atol=1e-6)


def test_a_column_is_no_pair_with_itself(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", [{"text": f"text {n}"} for n in range(8)])
    said = refused("fit", table, "--pair", "text", "text", "--out", tmp_path / "run")
    assert said == "--pair is 'text' twice, expected two different columns"
