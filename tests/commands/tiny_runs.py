"""The command line called in this process, and runs small enough to be trained in a test."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from weft.cli import main

SIZE = 32
SCENES = {
    "data.source.train": 40,
    "data.source.validation": 10,
    "data.source.test": 12,
    "data.source.scenes.size": SIZE,
}
"""A small generated world; only for recipes that generate their rows."""
TINY = {
    "data.streams.image.size": SIZE,
    "data.streams.text.vocab-size": 300,
    "model.encoders.image.widths": (4, 8, 16, 32),
    "model.encoders.text.dim": 16,
    "model.encoders.text.depth": 1,
    "model.projections.image.in-dim": 32,
    "model.projections.image.out-dim": 16,
    "model.projections.text.in-dim": 16,
    "model.projections.text.out-dim": 16,
    "tasks.retrieval.resamples": 20,
    "run.batch-size": 8,
    "run.precision": "fp32",
    "run.workers": 0,
    "run.evaluate-every": 0,
    "run.checkpoint-every": 0,
    "run.device": "cpu",
    "run.steps": 3,
}
"""The recipe `scenes` with next to nothing in it."""


class Said(NamedTuple):
    """What a command returned and printed."""

    code: int
    out: str
    err: str


def weft(*words: object) -> Said:
    """Runs `weft WORDS` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


def done(*words: object) -> str:
    """What a command printed that had to succeed."""
    said = weft(*words)
    assert said.code == 0, said.err
    return said.out


def refused(*words: object, after_steps: bool = False) -> str:
    """The one line that a command had to stop with; `after_steps`: progress may stand before it."""
    said = weft(*words)
    assert said.code == 2, said
    lines = said.err.splitlines()
    assert lines[-1].startswith("weft: "), said.err
    assert len(lines) == 1 or after_steps, said.err
    assert "Traceback" not in said.err
    assert not any(line.startswith("weft: ") for line in lines[:-1])
    return lines[-1].removeprefix("weft: ")


def flags(**settings: object) -> list[str]:
    """TINY and `settings` as words; `__` is a dot, `_` a hyphen."""
    named = {key.replace("__", ".").replace("_", "-"): value for key, value in settings.items()}
    words: list[str] = []
    for name, value in {**TINY, **named}.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name}", *map(str, values)]
    return words


def scenes_flags(**settings: object) -> list[str]:
    """`flags` for rows of the generated world."""
    world = [word for name, value in SCENES.items() for word in (f"--{name}", str(value))]
    return world + flags(**settings)


def picture(seed: int, size: int = 40) -> Image.Image:
    """Coloured noise that no other seed gives, coarse enough to survive JPEG."""
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 255, (5, 5, 3), dtype=np.uint8)).resize(
        (size, size), Image.Resampling.NEAREST
    )


def caption(number: int) -> str:
    return f"a picture of thing number {number}"


def picture_folder(folder: Path, count: int = 40) -> Path:
    """Pictures with a .txt of two captions beside each, as a user has them: without any split."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture(number).save(folder / f"p{number:02d}.png")
        captions = f"{caption(number)}\nanother sentence about {number}\n"
        (folder / f"p{number:02d}.txt").write_text(captions)
    return folder


def caption_table(folder: Path, count: int = 30) -> Path:
    """captions.jsonl in three splits, and its pictures."""
    folder.mkdir(parents=True)
    rows = []
    for number in range(count):
        picture(number).save(folder / f"p{number:02d}.png")
        split = "train" if number < count - 10 else "validation" if number < count - 5 else "test"
        row = {"image": f"p{number:02d}.png", "captions": [caption(number)], "split": split}
        rows.append({**row, "id": str(number)})
    return write_rows(folder / "captions.jsonl", rows)


def write_rows(path: Path, rows: list[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def read_rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextlib.contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Inside, nothing in `folder` may be changed, added or lost."""
    before = contents(folder)
    yield
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="session")
def scenes_run(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A trained run of the recipe `scenes`; not to be changed."""

    def make(folder: Path) -> None:
        done("train", "scenes", *scenes_flags(), "--out", folder / "scenes")

    return made_once("runs", make) / "scenes"


@pytest.fixture
def scenes_copy(scenes_run: Path, tmp_path: Path) -> Path:
    """A copy of `scenes_run` that a test may spoil."""
    return Path(shutil.copytree(scenes_run, tmp_path / "copy"))
