"""A run and its data in another folder: loaded, measured and resumed there."""

import shutil
from pathlib import Path

import pytest
from tiny_runs import caption_table, done, flags, read_rows

import weft
from weft.data.sources import FilesConfig
from weft.runs.moved import with_moved_data


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with `data` and a run, moved since the run was trained."""
    data = caption_table(tmp_path / "old" / "data", 20)
    words = flags(run__steps=2, run__checkpoint_every=1, run__log_every=1)
    done("train", "scenes", "--data", data, *words, "--out", tmp_path / "old" / "run")
    return Path(shutil.move(tmp_path / "old", tmp_path / "new"))


def test_a_moved_run_is_measured_and_resumed(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = weft.load(project / "run")
    source = run.recipe.data.source
    assert isinstance(source, FilesConfig)
    assert source.path == project / "data" / "captions.jsonl"
    assert f"was moved with the run to {source.path}" in caplog.text
    assert "recall@1" in done("evaluate", project / "run")
    (project / "run" / "checkpoints" / "step-00000002.safetensors").unlink()
    done("train", "--resume", project / "run")
    assert [row["step"] for row in read_rows(project / "run" / "log.jsonl")] == [1, 2]


def test_data_that_are_there_or_nowhere_stay(project: Path) -> None:
    recipe = weft.recipe("scenes")
    for path in (project / "data" / "captions.jsonl", Path("nowhere/captions.jsonl")):
        named = recipe.replace(data=recipe.data.replace(source=FilesConfig(path)))
        assert with_moved_data(named, project / "run") is named
    # One name that is the same is no sign that it is the same file.
    (project / "captions.jsonl").write_text("")
    far = Path("/elsewhere/captions.jsonl")
    named = recipe.replace(data=recipe.data.replace(source=FilesConfig(far)))
    assert with_moved_data(named, project / "run") is named
