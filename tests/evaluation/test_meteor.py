"""METEOR: the published score from the program's counts, and the program itself where it is there."""

import json

import numpy as np
import pytest

from weft.core.errors import MissingExtraError, WeftError
from weft.evaluation import meteor
from weft.evaluation.captions import evaluate, score

needs_program = pytest.mark.skipif(
    not meteor.available(), reason="METEOR needs Java and the package pycocoevalcap"
)
# What the program counts in the two texts of small_examples.json.
COUNTS = np.array(
    [
        [10, 7, 4, 4, 1, 1, 2, 2, *[0] * 12, 2, 3, 3],
        [10, 13, 6, 7, 4, 4, 4, 4, *[0] * 10, 2, 1, 2, 10, 9],
    ],
    dtype=float,
)


def test_the_score_follows_from_the_counts(shared_data) -> None:
    np.testing.assert_allclose(
        meteor.meteor(COUNTS), [0.1556568826170604, 0.39012536521249613], rtol=1e-12
    )
    (example,) = json.loads((shared_data("caption_metrics") / "small_examples.json").read_text())
    whole = float(meteor.meteor(COUNTS.sum(0)))
    assert whole == pytest.approx(example["expected"]["METEOR"], abs=6e-7)


def test_equal_texts_and_nothing_in_common() -> None:
    equal = np.array([3, 3, 1, 1, 2, 2, 1, 1, *[0] * 12, 1, 3, 3], dtype=float)
    longer = np.array([5, 3, 1, 1, 2, 2, 1, 1, *[0] * 12, 1, 3, 3], dtype=float)
    assert meteor.meteor(equal) == pytest.approx(1.0)
    assert meteor.meteor(longer) == pytest.approx(0.45930195450721917)
    assert meteor.meteor(np.zeros(23)) == 0.0


@needs_program
def test_published_score_of_a_thousand_pictures(shared_data) -> None:
    path = shared_data("caption_metrics") / "coco_fakecap.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    candidates = {str(item["image_id"]): item["candidate"] for item in data["items"]}
    references = {str(item["image_id"]): item["references"] for item in data["items"]}
    found = score(candidates, references, with_meteor=True)
    assert found["METEOR"] == pytest.approx(data["expected"]["METEOR"], abs=1e-9)


@needs_program
def test_an_empty_candidate_and_the_mark_of_the_protocol() -> None:
    found = evaluate(
        {"a": "", "b": "a ||| dog"}, {"a": ["a dog"], "b": ["a dog"]}, with_meteor=True
    )
    assert meteor.meteor(found.meteor).tolist() == [0.0, pytest.approx(1.0)]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meteor, "_jar", lambda: None)
    assert not meteor.available()
    with pytest.raises(MissingExtraError, match=r"pip install 'weft\[meteor\]'"):
        meteor.counts(["a"], [["a"]])
    assert "METEOR" not in score({"a": "a"}, {"a": ["a"]})
    with pytest.raises(MissingExtraError):
        score({"a": "a"}, {"a": ["a"]}, with_meteor=True)
    monkeypatch.setattr(meteor, "_jar", lambda: "meteor.jar")
    monkeypatch.setattr(meteor.shutil, "which", lambda name: None)
    with pytest.raises(WeftError, match="needs the command java"):
        meteor.counts(["a"], [["a"]])


def test_a_program_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho out of order >&2\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setattr(meteor, "_jar", lambda: tmp_path / "meteor.jar")
    monkeypatch.setattr(meteor.shutil, "which", lambda name: str(java))
    with pytest.raises(WeftError, match="METEOR's program failed: out of order"):
        meteor.counts(["a"], [["a"]])
