"""Captions are cleaned and counted in any script."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.data.prepare import captions
from weft.data.prepare.clean import CleanConfig, clean_captions


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog's ball .", ["A", "dog's", "ball"]),
        ("一只狗在跑", list("一只狗在跑")),
        ("两只 dogs 跑", ["两", "只", "dogs", "跑"]),
        ("犬が走る", list("犬が走る")),
        ("개가 달린다", ["개가", "달린다"]),
        ("naïve café, 2 crêpes!", ["naïve", "café", "2", "crêpes"]),
        (" . ", []),
    ],
)
def test_words(caption: str, expected: list[str]) -> None:
    assert captions.words(caption) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog is running on the beach", "English"),
        ("Ein Hund und eine Katze sind auf der Wiese", "German"),
        ("Un homme est dans la rue avec une femme", "French"),
        ("Una mujer está en la calle con los perros", "Spanish"),
        ("一只狗在草地上跑", "Chinese"),
        ("犬が草の上を走る", "Japanese"),
        ("개가 잔디에서 달린다", "Korean"),
        ("Собака бежит", "Cyrillic script"),
        ("xyzzy plugh", "Latin script"),
        ("12 !", "no letters"),
    ],
)
def test_language(caption: str, expected: str) -> None:
    assert captions.language(caption) == expected


def test_normalise_composes_and_puts_on_one_line() -> None:
    assert captions.normalise(" cafe\u0301\n\t open\u200b \x07now ") == "caf\u00e9 open now"


@given(st.text())
def test_normalising_twice_changes_nothing(caption: str) -> None:
    once = captions.normalise(caption)
    assert captions.normalise(once) == once
    assert not any(unicodedata.category(c) == "Cc" for c in once)


@given(st.text())
def test_folding_ignores_case_punctuation_and_spaces(caption: str) -> None:
    assert captions.folded(caption) == captions.folded(f"  {caption} . ")
    assert captions.folded("A Dog, runs.") == captions.folded("a dog runs")


@given(st.lists(st.text(max_size=30)), st.integers(0, 4), st.integers(1, 30))
def test_each_caption_is_kept_or_has_a_reason(all_: list[str], least: int, most: int) -> None:
    config = CleanConfig(min_caption_words=least, max_caption_chars=most)
    kept, reasons = clean_captions(tuple(all_), config)
    assert len(kept) + len(reasons) == len(all_)
    assert all(len(c) <= most and len(captions.words(c)) >= least for c in kept)
