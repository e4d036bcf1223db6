"""BLEU, ROUGE-L and CIDEr-D: published numbers, resampling against scoring anew, defined edge cases."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import WeftError
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.captions import (
    characters,
    commonest,
    evaluate,
    leave_one_out,
    score,
    words,
)

MEASURED = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr")


def test_published_scores_of_a_thousand_pictures(shared_data):
    path = shared_data("caption_metrics") / "coco_fakecap.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    candidates = {str(item["image_id"]): item["candidate"] for item in data["items"]}
    references = {str(item["image_id"]): item["references"] for item in data["items"]}
    found = evaluate(candidates, references)
    assert found.values().keys() == set(MEASURED)
    for name in MEASURED:
        assert found.values()[name] == pytest.approx(data["expected"][name], abs=1e-9), name
    counts = data["bleu_counts"]
    assert found.lengths.sum(0).tolist() == [counts["testlen"], counts["reflen"]]
    assert found.matches.sum(0).tolist() == counts["correct"]
    assert found.ngrams.sum(0).tolist() == counts["guess"]


def test_published_scores_of_small_examples(shared_data):
    path = shared_data("caption_metrics") / "small_examples.json"
    for example in json.loads(path.read_text(encoding="utf-8")):
        found = score(example["candidates"], example["references"])
        for name in MEASURED:
            assert found[name] == pytest.approx(example["expected"][name], abs=6e-7), name


def test_resamples_equal_scoring_the_drawn_pictures():
    """BLEU of a resample is the BLEU of those pictures; CIDEr-D keeps its document frequencies."""
    random = np.random.default_rng(0)
    vocabulary = list("abcdefgh")
    text = lambda: " ".join(random.choice(vocabulary, size=random.integers(3, 9)))  # noqa: E731
    references = {str(n): [text() for _ in range(3)] for n in range(12)}
    candidates = {key: references[key][0][:-2] for key in references}
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    bootstrap = Bootstrap(groups, resamples=5)
    found = evaluate(candidates, references)
    statistics = found.statistics(bootstrap, groups)
    assert {name: s.value for name, s in statistics.items()} == pytest.approx(found.values())
    for resample, counts_G in enumerate(np.concatenate(list(bootstrap._counts()))):
        drawn = [row for row in range(12) for _ in range(counts_G[groups[row]])]
        anew = evaluate(
            {f"{n}": candidates[str(row)] for n, row in enumerate(drawn)},
            {f"{n}": references[str(row)] for n, row in enumerate(drawn)},
        ).values()
        for name in ("Bleu_1", "Bleu_4", "ROUGE_L"):
            assert statistics[name].replicates[resample] == pytest.approx(anew[name])
        assert statistics["CIDEr"].replicates[resample] == pytest.approx(found.cider[drawn].mean())


def test_a_perfect_candidate_has_the_highest_scores():
    references = {"a": ["a dog runs on the grass"], "b": ["two men sit at one table"]}
    found = score({key: texts[0] for key, texts in references.items()}, references)
    assert found == pytest.approx(dict.fromkeys(MEASURED, 1.0) | {"CIDEr": 10.0})


def test_an_empty_candidate_scores_nothing():
    references = {"a": ["a dog runs on the grass"], "b": ["two men sit at one table"]}
    found = evaluate({"a": " . ", "b": "two men sit at one table"}, references)
    assert found.rouge.tolist() == [0, 1]
    assert found.cider.tolist() == [0, pytest.approx(10)]
    # The n-grams that there are all match, for half of the words that were to be said.
    assert found.values()["Bleu_4"] == pytest.approx(math.exp(1 - 12 / 6))
    assert set(score(dict.fromkeys(references, ""), references).values()) == {0.0}


texts = st.lists(st.sampled_from(["a", "dog", "runs", ".", "the"]), max_size=7).map(" ".join)


@given(st.dictionaries(st.sampled_from("xyz"), st.tuples(texts, texts), min_size=1))
def test_never_nan_and_within_bounds(rows):
    candidates = {key: first for key, (first, _) in rows.items()}
    references = {key: [f"{second} dog"] for key, (_, second) in rows.items()}
    for name, value in score(candidates, references).items():
        assert 0 <= value <= (10 if name == "CIDEr" else 1) + 1e-9


def test_chinese_by_characters():
    candidates, references = {"a": "两只狗打架。"}, {"a": ["两只狗 在路上打架。"]}
    assert characters("两只狗， 打架。") == list("两只狗打架")
    # 5 of 5 characters, 3 of 4 pairs; 8 were to be said.
    found = score(candidates, references, characters)
    assert found["Bleu_1"] == pytest.approx(math.exp(1 - 8 / 5))
    assert found["Bleu_2"] == pytest.approx(math.exp(1 - 8 / 5) * (3 / 4) ** 0.5)
    assert found["ROUGE_L"] == pytest.approx(2.44 * (5 / 8) / (5 / 8 + 1.44))


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        ({}, {}, "no candidate"),
        ({"a": "x"}, {}, "'a' without references: 1 candidates and 0 sets of references"),
        ({"a": "x"}, {"a": ["x"], "b": ["x"], "c": ["x"]}, "'b' and 1 more without candidate"),
        ({"a": "x"}, {"a": []}, "'a' has no reference with a word"),
        ({"a": "x"}, {"a": ["."]}, "'a' has no reference with a word"),
        ({"a": "x"}, {"a": "x"}, "references of 'a' are a string"),
    ],
)
def test_bad_input_is_named(candidates, references, message):
    with pytest.raises(WeftError, match=message):
        score(candidates, references)


def test_baselines():
    references = {"a": ["A dog .", "a dog"], "b": ["a cat", "two cats sit"], "c": ["only one"]}
    assert commonest([text for texts in references.values() for text in texts]) == "a dog"
    expected = score({"a": "a dog", "b": "a cat"}, {key: references[key][1:] for key in ("a", "b")})
    assert leave_one_out(references) == expected
    with pytest.raises(WeftError, match="two references"):
        leave_one_out({"c": ["only one"]})
    with pytest.raises(WeftError, match="no text with a word"):
        commonest([" . "])


def test_words_are_as_the_published_tokenizer_leaves_them():
    assert words("A black-haired man 's dog , running ( fast ) .") == [
        "a", "black-haired", "man", "'s", "dog", "running", "fast",
    ]  # fmt: skip
