"""Word errors against edit distances counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.evaluation.word_errors import character_errors, normalise, same_words, word_errors

texts = st.lists(st.sampled_from(["red", "blue", "at", "f"]), max_size=6).map(" ".join)


def distance(one: list[str], other: list[str]) -> int:
    table = [
        [i + j if i * j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)
    ]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b)
            )
    return table[-1][-1]


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_errors_are_edit_distances_over_the_corpus(pairs: list[tuple[str, str]]) -> None:
    right, said = zip(*pairs, strict=True)
    found = word_errors(right, said)
    wanted = [distance(a.split(), b.split()) for a, b in pairs]
    assert found.errors.tolist() == wanted
    assert found.units.tolist() == [len(a.split()) for a in right]
    if sum(found.units):
        assert found.rate == pytest.approx(sum(wanted) / sum(len(a.split()) for a in right))
    letters = character_errors(right, said)
    assert letters.errors.tolist() == [distance(list(a), list(b)) for a, b in pairs]


def test_kinds_of_errors() -> None:
    found = word_errors(["bin blue at f two now"], ["bin at f f two soon now"])
    assert found.errors.sum() == 3
    assert found.insertions.sum() - found.deletions.sum() == 1
    assert word_errors(["a b"], [""]).deletions.tolist() == [2]
    assert word_errors([""], ["a b"]).insertions.tolist() == [2]
    assert word_errors([""], [""]).rate == 0
    assert word_errors([""], ["a"]).rate == 1


def test_texts_are_compared_in_one_form() -> None:
    assert normalise("  Don't STOP, now! ") == "don't stop now"
    assert normalise("'quoted' well-known") == "quoted well known"
    assert normalise("ＡＢＣ 图") == "abc 图"


def test_words_that_are_the_same_have_their_numbers() -> None:
    assert same_words("bin blue at f two", "bin at f f too") == [(0, 0), (2, 1), (3, 2)]
    assert same_words("", "a") == same_words("a", "") == []
