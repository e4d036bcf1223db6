"""What is learned of the training rows: once, of rows that can be read, and put back for inference."""

from pathlib import Path

import pytest

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.learned import Learned
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig

STREAMS = {"text": TextConfig(kind="word", min_frequency=1), "image": ImageConfig(size=8)}
TARGETS = {"kind": ClassesConfig("label"), "price": NumbersConfig("price")}


def rows(*labels: str) -> list[Sample]:
    return [
        Sample(str(n), str(n), {"text": f"a {label} star", "label": label}, f"rows:{n}")
        for n, label in enumerate(labels)
    ]


def classes(learned: Learned) -> tuple[str, ...]:
    return learned.targets["kind"].classes  # type: ignore[attr-defined]


def learned_of(tmp_path: Path, *labels: str, **known) -> Learned:
    learned = Learned.of(STREAMS, TARGETS)
    learned.learn(rows(*labels), tmp_path, **known)
    return learned


def test_it_is_learned_once_and_put_back(tmp_path: Path) -> None:
    first = learned_of(tmp_path, "red", "blue")
    assert set(first.learners) == {"text", "kind"}
    assert set(classes(first)) == {"red", "blue"}
    again = learned_of(tmp_path, "green")  # as on another rank, or when a run is resumed
    assert classes(again) == classes(first)
    other = Learned.of(STREAMS, TARGETS)
    other.restore(tmp_path)
    assert classes(other) == classes(first)
    assert other.learners["text"].state() == first.learners["text"].state()


def test_what_another_run_knows_is_not_learned_again(tmp_path: Path) -> None:
    start, folder = tmp_path / "start", tmp_path / "folder"
    start.mkdir()
    folder.mkdir()
    before = learned_of(start, "red", "blue")
    after = learned_of(folder, "green", "white", start=start, known=frozenset({"text"}))
    assert after.learners["text"].state() == before.learners["text"].state()
    assert set(classes(after)) == {"green", "white"}


def test_what_does_not_fit_is_named_with_its_file(tmp_path: Path) -> None:
    learned_of(tmp_path, "red", "blue")
    for streams, targets, message in (
        ({**STREAMS, "title": STREAMS["text"]}, TARGETS, "has no state of stream 'title'"),
        (STREAMS, {**TARGETS, "colour": TARGETS["kind"]}, "has no state of target 'colour'"),
    ):
        with pytest.raises(WeftError, match=rf"modalities\.json: {message}"):
            Learned.of(streams, targets).restore(tmp_path)
    Learned().restore(tmp_path / "nothing")  # where nothing is learned there is no file


def test_a_column_that_no_row_has_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    for streams, targets, message in (
        (
            {"caption": TextConfig(kind="word")},
            {},
            "rows:0: no training row has 'caption', which stream 'caption' learns from; "
            "the first has: text, label",
        ),
        (
            {},
            {"kind": ClassesConfig("class")},
            "rows:0: no training row has 'class', which target 'kind' learns from; "
            "the first has: text, label",
        ),
        (
            {"audio": TextConfig(kind="word")},
            {},
            "rows:0: no training row has 'audio', which stream 'audio' learns from; "
            "the first has: text, label; name one with --columns audio=COLUMN",
        ),
    ):
        with pytest.raises(WeftError) as caught:
            Learned.of(streams, targets).learn(rows("red"), tmp_path)
        assert str(caught.value) == message
