"""Tiny runs of every ability, and servers of them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tiny_drawings
from asking import Process
from tiny_dialogs import SMALL_PICTURES, TINY, dialogs
from tiny_runs import done
from tiny_speech import speech_run

from weft.index import Cutoff, Index
from weft.runs.run import Run, load
from weft.runs.searching import open_index
from weft.runs.train import train
from weft.serve.service import Served, Service
from weft.serve.settings import Limits

NAMES = ("scenes", "dialog", "ranking", "both", "flow", "speech")
"""Searching; asking by a decoder that writes and by ranking; a picture and its text from a latent; drawing; transcribing."""


def make_runs(folder: Path) -> None:
    """Beside folder/scenes."""
    done("index", "build", folder / "scenes")
    with Index.open(folder / "scenes" / "index") as index:
        # Nothing is trained long enough to tell nonsense, so the threshold is one that some hits pass.
        known = index.vectors(index.ids()[:5])
        index.set_cutoff("text", Cutoff(0.5, 0.25, known))
    (folder / "rows").mkdir()
    said = ("--data", dialogs(folder / "rows"), *TINY, *SMALL_PICTURES)
    done("train", "dialog", *said, "--decoder", "generative", "--out", folder / "dialog")
    done("train", "dialog", *said, "--decoder", "discriminative", "--out", folder / "ranking")
    data = tiny_drawings.pictures(folder / "easy_vqa")
    train(tiny_drawings.flow(data), folder / "flow")
    train(tiny_drawings.both_ways(data), folder / "both")
    (folder / "sounds").mkdir()
    shutil.copytree(speech_run(folder / "sounds"), folder / "speech")


@pytest.fixture(scope="session")
def runs(made_once: Callable[[str, Callable[[Path], object]], Path], scenes_run: Path) -> Path:
    """A folder of a run for each of NAMES; scenes has an index of its test rows. Not to be changed."""

    def make(folder: Path) -> None:
        shutil.copytree(scenes_run, folder / "scenes")
        make_runs(folder)

    return made_once("served", make)


@pytest.fixture(scope="session")
def answering(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server of all runs in a process of its own, whose index is written to."""
    own = tmp_path_factory.mktemp("own")
    for name in NAMES:
        shutil.copytree(runs / name, own / name)
    words = [own / name for name in NAMES]
    said = ("--writable", "--rate", 0, "--backend", "fp32", "--log", own / "log.jsonl")
    with Process(*words, *said) as process:
        yield process


@pytest.fixture(scope="session")
def loaded(runs: Path) -> dict[str, Run]:
    return {name: load(runs / name, "cpu") for name in NAMES}


@pytest.fixture
def service(loaded: dict[str, Run], runs: Path) -> Iterator[Service]:
    """The runs in this process, without limits of rate."""
    served = [
        Served(name, run, open_index(run, runs / name / "index") if name == "scenes" else None)
        for name, run in loaded.items()
    ]
    made = Service(served, Limits(rate=0))
    yield made
    made.close()
