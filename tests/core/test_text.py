"""Text in any script: one form, words with their marks, what two texts share."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.samples import group_key
from weft.core.text import (
    characters,
    compatible,
    counted,
    folded,
    normalised,
    plural_of,
    unspaced,
    utf8,
    words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog's ball .", ["A", "dog's", "ball"]),
        ("一只狗在跑", list("一只狗在跑")),
        ("两只 dogs 跑", ["两", "只", "dogs", "跑"]),
        ("犬が走る", list("犬が走る")),
        ("개가 달린다", ["개가", "달린다"]),
        ("naïve café, 2 crêpes!", ["naïve", "café", "2", "crêpes"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("अच्छा लड़का", ["अच्छा", "लड़का"]),
        ("நாய் ஓடுகிறது", ["நாய்", "ஓடுகிறது"]),
        ("مَرْحَبًا", ["مَرْحَبًا"]),
        ("می\u200cروم", ["می\u200cروم"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("ผู้ชาย", ["ผู้", "ช", "า", "ย"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        (" . ❤️", []),
    ],
)
def test_words_have_their_marks(text: str, expected: list[str]) -> None:
    expected = [unicodedata.normalize("NFC", word) for word in expected]
    assert words(text) == expected


def test_one_line_in_composed_form() -> None:
    assert normalised(" cafe\u0301\n\t open\u200b \x07now ") == "caf\u00e9 open now"
    assert normalised("half a pair \ud83d") == "half a pair \ufffd"
    assert normalised("\u202eabc\u202c") == "abc"


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    for way in (normalised, compatible):
        once = way(text)
        assert way(once) == once
        assert not any(unicodedata.category(c) == "Cc" for c in once)


@given(st.text())
def test_folding_ignores_case_punctuation_and_blanks(text: str) -> None:
    assert folded(text) == folded(f"  {text} . ")
    assert folded(text) == folded(unicodedata.normalize("NFD", text))


@pytest.mark.parametrize(
    "alike",
    [
        ("A Dog, runs.", "a dog runs"),
        ("Ａ ｄｏｇ", "a dog"),
        ("Straße", "STRASSE"),
        ("ﬁne", "fine"),
        ("می\u200cروم", "میروم"),
        ("I ❤️ dogs", "I ❤ dogs!"),
        ("ﾊﾟﾝ", "パン"),
    ],
)
def test_what_folds_alike(alike: tuple[str, str]) -> None:
    assert folded(alike[0]) == folded(alike[1]) != ""


@pytest.mark.parametrize(
    "different",
    [
        ("अच्छा लड़का", "अच्छी लड़की"),
        ("กา", "กี"),
        ("10²", "102"),
        ("I ❤ dogs", "I 😡 dogs"),
        ("2 + 2", "2 2"),
        ("5 €", "5 $"),
        ("résumé", "resume"),
    ],
)
def test_what_does_not(different: tuple[str, str]) -> None:
    assert folded(different[0]) != folded(different[1])


def test_characters_have_their_marks() -> None:
    assert characters("कि ผู้") == ["कि", " ", "ผู้"]
    assert characters("\u0301a") == ["\u0301", "a"]
    assert characters("a\nb") == ["a", "\n", "b"]


@given(st.text())
def test_characters_lose_nothing(text: str) -> None:
    assert "".join(characters(text)) == text


def test_scripts_without_blanks() -> None:
    assert [unspaced(text) for text in ("狗", "ไทย", "ខ្មែរ", "မြန်မာ", "ქართ", "dog", "कुत्ता")] == [
        *([True] * 4),
        *([False] * 3),
    ]


def test_a_group_has_one_number_in_every_unicode_form() -> None:
    assert group_key("caf\u00e9.jpg") == group_key("cafe\u0301.jpg") != group_key("cafe.jpg")
    assert group_key("half \ud83d") == group_key("half \ud83d")


def test_numbers_with_their_nouns() -> None:
    assert counted(1, "row") == "1 row"
    assert counted(2000, "row") == "2,000 rows"
    assert counted(0, "entry", "entries") == "0 entries"


def test_any_string_has_bytes() -> None:
    assert utf8("für") == "für".encode()
    assert utf8("a\udcff") != utf8("a\udcfe") != utf8("a")


def test_texts_of_ascii_are_folded_as_others_are() -> None:
    """With a word of another script in front nothing of the rest is folded in another way."""
    for text in (
        "Don't_ stop-- it's 5 > 3 ^ `x`",
        "a\x1fb  C's $5",
        "snake_case 'quoted'",
        "1'2 | ~",
    ):
        assert folded(f"é {text}") == " ".join(["é", *folded(text).split()])


def test_names_that_are_no_english_words_have_no_plural() -> None:
    assert [plural_of(name) for name in ("image", "Bild", "text_zh")] == [
        "images",
        "Bild",
        "text_zh",
    ]
