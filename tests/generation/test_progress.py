"""What is drawn while a run is trained: grids, their animation, and the strip from one noise to another."""

import io
import itertools
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tiny_drawings as tiny
import torch

from weft.heads.pictures import PictureValues
from weft.inference.results import Drawn, TaskResult
from weft.runs import drawing_progress
from weft.runs.drawing_progress import PROGRESS, animation, keep_drawn, strip
from weft.runs.measure import measure
from weft.runs.run import load
from weft.runs.train import train


def result(shade: int) -> TaskResult:
    pixels = torch.full((20, 3, 4, 4), shade, dtype=torch.uint8)
    return TaskResult(
        "generation", {}, {}, {}, drawn=Drawn("picture", "image", range(20), PictureValues(pixels))
    )


def test_grids_become_an_animation_in_the_order_of_their_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_drawn(tmp_path, "generation", 900, result(250))
    assert animation(tmp_path, "generation") is None  # one is no animation
    for step, shade in ((20, 10), (1000, 255), (300, 120)):
        keep_drawn(tmp_path, "generation", step, result(shade))
    keep_drawn(tmp_path, "generation", 1100, TaskResult("generation", {}, {}, {}))  # draws nothing
    assert len(list((tmp_path / PROGRESS).glob("*.png"))) == 4
    content = animation(tmp_path, "generation")
    assert content is not None
    assert shades(content) == pytest.approx([10, 120, 250, 255], abs=4)
    monkeypatch.setattr(drawing_progress, "LONGEST", 2)
    content = animation(tmp_path, "generation")
    assert content is not None
    assert shades(content) == pytest.approx([10, 255], abs=4)
    assert animation(tmp_path, "another") is None


def shades(content: bytes) -> list[int]:
    """Of the first pixel of each frame; a grid has four pictures of 4 pixels a row, with margins of 2."""
    film = PIL.Image.open(io.BytesIO(content))
    found = []
    for number in range(film.n_frames):  # type: ignore[attr-defined]
        film.seek(number)
        assert film.size == (22, 22)
        found.append(int(np.asarray(film.convert("RGB"))[1, 1, 0]))
    return found


def test_a_strip_begins_and_ends_with_two_noises(tmp_path: Path) -> None:
    data = tiny.pictures(tmp_path / "easy_vqa")
    train(tiny.flow(data, steps=1), tmp_path / "flow")
    run = load(tmp_path / "flow")
    found = measure([run], "generation", audited=False)
    shown = strip(run, found.result, found.dataset)
    assert shown is not None
    assert shown.shape == (tiny.SIDE, 8 * tiny.SIDE + 7 * 2, 3)
    each = [shown[:, n * (tiny.SIDE + 2) :][:, : tiny.SIDE] for n in range(8)]
    apart = [np.abs(a.astype(float) - b).mean() for a, b in itertools.pairwise(each)]
    assert max(apart) < np.abs(each[0].astype(float) - each[-1]).mean()
    assert strip(run, TaskResult("generation", {}, {}, {}), found.dataset) is None
    noise = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    between = drawing_progress._between(noise)
    torch.testing.assert_close(between[[0, -1]], noise, atol=1e-6, rtol=0)
    assert between.std((1, 2, 3)).tolist() == pytest.approx([1.0] * 8, abs=0.03)
