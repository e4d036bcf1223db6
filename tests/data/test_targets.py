"""What every target keeps, found by walking weft/data/targets."""

import importlib
import json
import pkgutil
import re

import numpy as np
import pytest
import torch

import weft.data.targets
from weft.core.config import Config, from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import Learner, Target
from weft.data.targets import NO_CLASS
from weft.data.targets.cells import CellsConfig
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.labels import LabelsConfig
from weft.data.targets.numbers import NumbersConfig
from weft.data.targets.soft_answers import SoftAnswersConfig
from weft.data.targets.tags import TagsConfig
from weft.data.targets.transcript import BLANK, TranscriptConfig
from weft.data.targets.word_times import WordTimesConfig

THINGS = [
    {"shape": "star", "color": "red", "size": "small", "box": [0.0, 0.0, 0.4, 0.4]},
    {"shape": "ring", "color": "blue", "size": "small", "box": [0.5, 0.6, 0.9, 1.0]},
    {"shape": "star", "color": "blue", "size": "large", "box": [0.6, 0.5, 1.0, 0.9]},
]
CASES = {
    "classes": (ClassesConfig("answer"), ["red", "no", "red", True, 3]),
    "cells": (CellsConfig(cells=2), [THINGS, THINGS[:1], []]),
    "soft_answers": (
        SoftAnswersConfig("answers"),
        [["yes"] * 10, ["yes"] * 3 + ["no"] * 7, ["the Net"] * 9 + ["net"]],
    ),
    "labels": (LabelsConfig("grid"), [np.array([[1, 0], [2, 2]]), [[0, 0], [0, 1]]]),
    "numbers": (NumbersConfig("score"), [1, -0.5, "2.5"]),
    "transcript": (TranscriptConfig("text"), ["Bin blue", "at f now", "now now"]),
    "transcript of subwords": (TranscriptConfig("text", "subword"), ["Bin blue", "at f", "blue"]),
    "transcript of words": (TranscriptConfig("text", "word"), ["Bin blue", "at f", "blue"]),
    "word times": (
        WordTimesConfig(),
        [[{"word": "bin", "start": 0.1, "end": 0.4}, {"word": "blue", "start": 0.5, "end": 1}]],
    ),
    "tags": (TagsConfig("tags"), [["red", "round"], [], "red, new ; red;", ["blue", " red "]]),
}


def test_every_config_is_in_the_suite() -> None:
    found = set()
    for info in pkgutil.iter_modules(weft.data.targets.__path__):
        for cls in vars(importlib.import_module(f"weft.data.targets.{info.name}")).values():
            if isinstance(cls, type) and issubclass(cls, Config) and cls is not Config:
                found.add(cls)
    assert found == {type(config) for config, _ in CASES.values()}
    assert len(found) == 8


@pytest.mark.parametrize("name", CASES)
def test_what_is_learned_survives(name: str) -> None:
    config, raws = CASES[name]
    target = config.build()
    assert isinstance(target, Target)
    again = from_json(json.loads(json.dumps(to_json(config))), Config, "here").build()
    if isinstance(target, Learner):
        target.fit(raws)
        again.restore(json.loads(json.dumps(target.state())))
    one, other = (t.collate([t.read(raw) for raw in raws]) for t in (target, again))
    assert torch.equal(one, other)
    assert len(one) == len(raws)


def test_frequent_classes_first_and_rare_ones_are_none() -> None:
    target = ClassesConfig("answer", max_classes=2).build()
    target.fit(["b", "a", "c", "a", "b", None, ["x"]])
    assert target.classes == ("a", "b")
    assert [target.read(name) for name in (" a ", "b", "c", "never")] == [0, 1, NO_CLASS, NO_CLASS]


def test_answers_outside_the_vocabulary_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ClassesConfig("answer", max_classes=1).build().fit(["a", "a", "b", "c"])
    expected = "2 of 4 training rows have a 'answer' that is none of the 1 that are learned"
    assert [record.getMessage() for record in caplog.records] == [expected]
    caplog.clear()
    SoftAnswersConfig("answers", max_classes=1).build().fit(
        [["a1"] * 10, ["b1"] * 9 + ["a1"], ["c1"] * 10]
    )
    expected = "1 of 3 training rows have no answer among the 1 that are learned"
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_cells_hold_the_classes_of_the_object_on_top() -> None:
    target = CellsConfig(cells=2).build()
    target.fit([THINGS])
    assert target.classes["shape"] == ("ring", "star")
    assert target.read(THINGS).tolist() == [[2, 2, 2], [0, 0, 0], [0, 0, 0], [2, 1, 1]]
    assert target.read([{**THINGS[0], "color": "pink"}])[0].tolist() == [2, 0, 2]


def test_cells_of_a_film_are_those_of_its_frames_one_after_another() -> None:
    target = CellsConfig(cells=2, frames=3).build()
    target.fit([THINGS])
    in_frames = [{**thing, "frame": 2 * number} for number, thing in enumerate(THINGS[:2])]
    picture = CellsConfig(cells=2).build()
    picture.fit([THINGS])
    first, last = (picture.read([{**thing, "frame": 0}]) for thing in in_frames)
    assert target.read(in_frames).tolist() == [*first.tolist(), *[[0] * 3] * 4, *last.tolist()]
    with pytest.raises(WeftError, match="an object's frame is 3, expected 0 to 2"):
        target.read([{**THINGS[0], "frame": 3}])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("star", "'objects' is 'star', expected a list of objects"),
        ([{"shape": "star"}], "an object's box is None, expected x0, y0, x1, y1"),
        ([{**THINGS[0], "box": [0.4, 0.0, 0.0, 0.4]}], r"expected x0 < x1 and y0 < y1"),
        ([{**THINGS[0], "box": [0.9, 0.0, 1.4, 0.4]}], r"its centre in \[0, 1\]"),
        ([{"box": [0, 0, 1, 1], "shape": "star"}], "an object has no 'color', it has: box, shape"),
    ],
)
def test_objects_that_are_none(raw: object, said: str) -> None:
    target = CellsConfig().build()
    target.fit([THINGS])
    with pytest.raises(WeftError, match=said):
        target.read(raw)


def test_soft_answers_score_what_annotators_agree_on() -> None:
    target = SoftAnswersConfig("answers", max_classes=2).build()
    target.fit([["yes"] * 10, ["no"] * 6 + ["maybe"] * 4, None, [], [3]])
    assert target.classes == ("yes", "no")
    assert target.read(["Yes.", "no", "no"] + ["maybe"] * 7).tolist() == pytest.approx([0.3, 0.6])
    assert target.read(["what"] * 10).tolist() == [0, 0]
    for raw in (None, "yes", [], ["yes", 3]):
        with pytest.raises(WeftError, match="'answers' is .* expected a list of answers"):
            target.read(raw)


def test_given_classes_are_closed() -> None:
    target = ClassesConfig("label", ("true", "false")).build()
    target.fit(["whatever"])
    assert target.read(True) == 0
    with pytest.raises(WeftError, match="unknown label 'tru': did you mean true"):
        target.read("tru")


@pytest.mark.parametrize("raw", ["high", None, float("nan"), "inf", [], 10**400, -1e39, True])
def test_a_number_is_finite(raw: object) -> None:
    with pytest.raises(WeftError, match="expected a finite number"):
        NumbersConfig("score").build().read(raw)


def test_bad_classes_are_named() -> None:
    with pytest.raises(WeftError, match="no training row has a class in its column 'answer'"):
        ClassesConfig("answer").build().fit([None, 1.5])
    with pytest.raises(WeftError, match="expected a list of names"):
        ClassesConfig("answer").build().restore({"classes": [1]})
    with pytest.raises(
        WeftError, match="^'answer' is 1.5, expected a string, a whole number or a t"
    ):
        ClassesConfig("answer").build().read(1.5)


def test_tags_are_a_list_or_a_cell() -> None:
    target = TagsConfig("tags", max_classes=2).build()
    target.fit(["red; round, old", "red", None, "; ", "new;red"])
    assert (target.separator, target.classes) == (";", ("red", "new"))
    assert target.read("new ;red;red").tolist() == [1, 1]
    assert target.read(["new", "never seen"]).tolist() == [0, 1]
    assert target.read([]).tolist() == target.read("").tolist() == [0, 0]
    assert target.names("round, old; red") == ("round, old", "red")
    commas = TagsConfig("tags").build()
    commas.fit(["red, round", "blue"])
    assert commas.classes == ("blue", "red", "round")
    for raw in (None, 3, [None], [""], {"a": 1}):
        with pytest.raises(WeftError, match=r"^'tags' is "):
            target.read(raw)
    with pytest.raises(WeftError, match="no training row has a tag in its column 'tags'"):
        TagsConfig("tags").build().fit([None, [], ""])
    with pytest.raises(WeftError, match="separator is None, expected a string"):
        TagsConfig("tags").build().restore({"classes": ["a"]})


def test_several_labels_a_row_are_refused_by_the_name_of_their_column() -> None:
    target = ClassesConfig("tags").build()
    line = "'tags' is ['red', 'round'], a list: expected one class a row; TagsConfig reads several"
    with pytest.raises(WeftError, match=f"^{re.escape(line)}"):
        target.read(["red", "round"])
    with pytest.raises(WeftError, match=f"in its column 'tags': {re.escape(line)}"):
        target.fit([["red", "round"], ["blue"]])
    with pytest.raises(WeftError, match=r"^'grid' is no array: "):
        LabelsConfig("grid").build().read([[1, 2], [3]])


@pytest.mark.parametrize(("prices", "said"), [(["1.5", "20"], True), (["1", "20"], False)])
def test_numbers_as_classes_are_said(
    prices: list[str], said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ClassesConfig("price").build().fit(prices)
    assert ("column 'price' holds numbers such as 1.5" in caplog.text) is said


def test_an_empty_transcript_is_the_blank_alone_and_another_alphabet_is_none() -> None:
    target = TranscriptConfig("text").build()
    target.fit(["ab", ""])
    items = [target.read(text) for text in ("ba", "", "<silence>", "xyz")]
    assert target.collate(items).tolist() == [[2, 1], [BLANK, -1], [BLANK, -1], [-1, -1]]
    assert target.unknown("axxb") == ["x"]


def test_one_caption_is_a_transcript_and_two_are_none() -> None:
    """A `.txt` beside a sound is a list of captions, one a line."""
    target = TranscriptConfig("text").build()
    target.fit([["one two"]])
    assert target.text(["One two"]) == target.text("one two")
    with pytest.raises(WeftError, match="expected a transcript"):
        target.text(["one", "two"])


def test_a_class_is_one_in_every_unicode_form() -> None:
    target = ClassesConfig("label").build()
    target.fit(["caf\u00e9", "cafe\u0301", " caf\u00e9 ", "अच्छा", "अच्छी"])
    assert target.classes == ("caf\u00e9", "अच्छा", "अच्छी")
    assert target.read("cafe\u0301\n") == 0
    with pytest.raises(ValueError, match="names one twice"):
        ClassesConfig("label", ("caf\u00e9", "cafe\u0301"))


@pytest.mark.parametrize("raw", ["", " ", "\u200b"])
def test_a_class_has_a_name(raw: str) -> None:
    with pytest.raises(WeftError, match="'label' is .*, expected the name of a class"):
        ClassesConfig("label").build().read(raw)
