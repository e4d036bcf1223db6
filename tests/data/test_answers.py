"""The answer normalisation and the score of VQA v2, against examples and the plain definition."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.data.answers import normalised, soft_score, soft_scores


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (" Yes ", "yes"),
        ("The  dog\n", "dog"),
        ("an apple, a pear", "apple pear"),
        ("two", "2"),
        ("Ten dogs", "10 dogs"),
        ("none", "0"),
        ("dont know", "don't know"),
        ("Don’t", "don't"),
        ("cant", "can't"),
        ("its", "its"),
        ("girl's", "girl's"),
        ("2:50 p.m.", "2:50 pm"),
        ("100,978", "100978"),
        ("red,white", "red white"),
        ("3.5", "3.5"),
        ("no.", "no"),
        ("black/white", "black white"),
        ("t-shirt", "t shirt"),
        ("what?!", "what"),
        ("the", ""),
    ],
)
def test_one_spelling(answer: str, expected: str) -> None:
    assert normalised(answer) == expected
    assert normalised(expected) == expected


@given(st.lists(st.sampled_from(["red", "The Red", "blue", "2", "two"]), min_size=10, max_size=10))
def test_the_score_is_the_mean_over_nine_of_ten(answers: list[str]) -> None:
    for said in ("red", "blue", "two", "green"):
        subsets = list(combinations(answers, 9))
        matches = [sum(normalised(a) == normalised(said) for a in nine) for nine in subsets]
        expected = sum(min(1.0, n / 3) for n in matches) / len(subsets)
        assert soft_score(said, answers) == pytest.approx(expected)


def test_a_few_that_agree_of_ten() -> None:
    answers = ["a"] + ["bee"] * 2 + ["sea"] * 3 + ["d"] * 4
    found = {name: round(score, 6) for name, score in soft_scores(answers).items()}
    assert found == {"": 0.3, "bee": 0.6, "sea": 0.9, "d": 1.0}
