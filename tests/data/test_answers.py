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
        ("50%", "50%"),
        ("$5", "$5"),
        ("#1", "#1"),
        ("B&B", "b&b"),
        ("5*", "5*"),
        ("€ 3.50", "€ 3.50"),
        # An article is one in front of a word; letters are answers.
        ("the", "the"),
        ("A.", "a"),
        ("the A", "a"),
        ("vitamin A", "vitamin a"),
        ("A or B", "a or b"),
        # What would leave nothing is not done.
        ("?!", "?!"),
        ("", ""),
        # Any script, any width.
        ("अच्छी!", "अच्छी"),
        ("ＴＷＯ　ｄｏｇｓ。", "2 dogs"),
        ("cafe\u0301", "caf\u00e9"),
        ("5²", "5²"),
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
    assert found == {"a": 0.3, "bee": 0.6, "sea": 0.9, "d": 1.0}


@pytest.mark.parametrize("said", ["", "the", "an", "?", "*", "B"])
def test_a_letter_is_right_only_as_itself(said: str) -> None:
    assert soft_score("A", ["A"] * 10) == 1
    assert soft_score(said, ["A"] * 10) == 0


def test_an_empty_answer_is_right_only_where_nothing_was_said() -> None:
    for said in ("?", "the", "*", "!"):
        assert soft_score("", [said] * 10) == 0


_SAID = st.lists(
    st.sampled_from(["a", "The", "or", "and", ",", ".", "-", "3", ".5", "dont", "none", "’", "%"]),
    max_size=6,
).map(" ".join)


@given(st.one_of(st.text(max_size=12), _SAID))
def test_a_spelling_is_its_own(answer: str) -> None:
    assert normalised(normalised(answer)) == normalised(answer)
