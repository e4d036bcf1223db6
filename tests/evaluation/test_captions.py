"""BLEU, ROUGE-L and CIDEr-D: published numbers, resampling against scoring anew, defined edge cases."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core.errors import WeftError
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.caption_tokens import characters
from weft.evaluation.captions import (
    commonest,
    evaluate,
    leave_one_out,
    score,
)

MEASURED = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr")


def as_printed(text: str) -> list[str]:
    dropped = {
        *[
            ".",
            ",",
            ";",
            ":",
            "?",
            "!",
            "-",
            "--",
            "...",
            "'",
            "''",
            "`",
            "``",
            "-lrb-",
            "-rrb-",
            "-lcb-",
            "-rcb-",
        ]
    }
    return [word for word in text.lower().split() if word not in dropped]


def test_published_scores_of_a_thousand_pictures(shared_data):
    path = shared_data("caption_metrics") / "coco_fakecap.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    candidates = {str(item["image_id"]): item["candidate"] for item in data["items"]}
    references = {str(item["image_id"]): item["references"] for item in data["items"]}
    # These texts are what the published tokenizer printed.
    found = evaluate(candidates, references, as_printed)
    assert found.values().keys() == set(MEASURED)
    assert found.values() == pytest.approx(evaluate(candidates, references).values(), abs=3e-4)
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


def test_cider_d_by_hand() -> None:
    """Three pictures, so that a word of one of them weighs log 3, of two log 1.5, of all nothing."""
    references = {"a": ["x y"], "b": ["x z"], "c": ["x w v", "w v"]}
    one, both = math.log(3), math.log(1.5)
    # "x" is everywhere: of "x y" only "y" and the pair count, and both fit; longer ones are not there.
    found = score({"a": "x y", "b": "u", "c": "u"}, references)
    assert found["CIDEr"] == pytest.approx(10 * (1 + 1) / 4 / 3)
    # Said twice a word counts as often as in the reference, but makes the candidate longer.
    found = score({"a": "y y", "b": "u", "c": "u"}, references)
    assert found["CIDEr"] == pytest.approx(10 * (one * one / (2 * one * one)) / 4 / 3)
    # Mean of the two references of c. "w" and "v" are of one picture, however often it says them.
    far = math.exp(-1 / (2 * 6**2))
    expected = ((1 + 1) + far * (1 + 1 / 2**0.5)) / 2
    found = score({"a": "u", "b": "u", "c": "w v"}, references)
    assert found["CIDEr"] == pytest.approx(10 * expected / 4 / 3)
    # A word of two of three pictures.
    shared = {"a": ["y t"], "b": ["z t"], "c": ["w"]}
    found = score({"a": "t", "b": "u", "c": "u"}, shared)
    cosine = both / (both**2 + one**2) ** 0.5
    assert found["CIDEr"] == pytest.approx(10 * far * cosine / 4 / 3)


def test_cider_d_forgives_six_words_of_length() -> None:
    long = "p q r s t u v"
    found = score({"a": "p q", "b": "zero"}, {"a": [long], "b": ["other"]})
    assert found["CIDEr"] == pytest.approx(
        10 * math.exp(-(5**2) / 72) * (2 / 14**0.5 + 1 / 6**0.5) / 4 / 2
    )
    assert found["CIDEr"] == pytest.approx(0.832759, abs=1e-6)


def plain_cider_d(candidates: dict[str, str], references: dict[str, list[str]]) -> float:
    """Equation 4 of the paper with the published code's clipping and penalty, as vectors."""

    def grams(text: str, n: int) -> list[tuple[str, ...]]:
        said = text.split()
        return list(zip(*(said[i:] for i in range(n)), strict=False))

    total = 0.0
    for key, text in candidates.items():
        for reference in references[key]:
            for n in (1, 2, 3, 4):
                known = sorted(
                    {g for texts in references.values() for t in texts for g in grams(t, n)}
                )
                mine = [*known, *sorted(set(grams(text, n)) - set(known))]
                pictures = [
                    sum(any(g in grams(t, n) for t in texts) for texts in references.values())
                    for g in mine
                ]
                idf = np.log(len(references)) - np.log(np.maximum(1, pictures))
                own = np.array([grams(text, n).count(g) for g in mine]) * idf
                other = np.array([grams(reference, n).count(g) for g in mine]) * idf
                norm = np.linalg.norm(own) * np.linalg.norm(other)
                cosine = (np.minimum(own, other) @ other / norm) if norm else 0.0
                difference = len(text.split()) - len(reference.split())
                penalty = np.exp(-(difference**2) / 72)
                total += penalty * cosine / 4 / len(references[key])
    return 10 * total / len(candidates)


said = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=9).map(" ".join)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from("uvwx"), st.tuples(said, said, said), min_size=2))
def test_cider_d_is_that_of_a_plain_implementation(rows) -> None:
    candidates = {key: first for key, (first, _, _) in rows.items()}
    references = {key: list(texts) for key, (_, *texts) in rows.items()}
    assert score(candidates, references)["CIDEr"] == pytest.approx(
        plain_cider_d(candidates, references), abs=1e-9
    )


def test_bleu_and_rouge_l_by_hand() -> None:
    found = score({"a": "a b c"}, {"a": ["a c d e", "b"]})
    # Longest common subsequence 2 of 3 and of 4 words; one word fits the other reference whole.
    assert found["ROUGE_L"] == pytest.approx(2.44 * (2 / 3) * 1 / (1 + 1.44 * (2 / 3)))
    found = score({"a": "a b c"}, {"a": ["a c d e"]})
    assert found["ROUGE_L"] == pytest.approx(0.557078, abs=1e-6)
    found = score({"a": "a b a c"}, {"a": ["a b c d e", "a b"]})
    # Nearest in length are 5 words; of 4 words 3 fit, since no reference says "a" twice; of 3 pairs 1.
    assert found["Bleu_1"] == pytest.approx(math.exp(-1 / 4) * 3 / 4)
    assert found["Bleu_2"] == pytest.approx(math.exp(-1 / 4) * (3 / 4 / 3) ** 0.5)
    assert found["Bleu_3"] == 0


def test_captions_as_people_write_them_score_as_the_words_alone() -> None:
    references = {
        "1": ["A man, wearing a hat, rides a horse.", "Man riding a brown horse"],
        "2": ["Two dogs (one black) run.", "Dogs running in the grass!"],
    }
    plain = {
        "1": ["a man wearing a hat rides a horse", "man riding a brown horse"],
        "2": ["two dogs one black run", "dogs running in the grass"],
    }
    candidates = {"1": "A man rides a horse.", "2": "“Two dogs, run in the grass”"}
    without = {"1": "a man rides a horse", "2": "two dogs run in the grass"}
    assert score(candidates, references) == score(without, plain)
