"""The words that caption metrics count; English ones as Stanford's PTBTokenizer 3.4.1 gives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.evaluation.caption_tokens import characters, words

# What the program prints with -lowerCase, without what the COCO caption evaluation drops.
PUBLISHED = {
    "A man, wearing a hat, rides a horse.": "a man wearing a hat rides a horse",
    "It's the dogs' ball, isn't it?": "it 's the dogs ball is n't it",
    'He said "stop" (loudly) ... and left!': "he said stop loudly and left",
    "A black-and-white dog/cat at 3:30 p.m. in the U.S.A.": (
        "a black-and-white dog/cat at 3:30 p.m. in the u.s.a."
    ),
    "He can't; they cannot, I'm gonna, we'll, they've, she'd": (
        "he ca n't they can not i 'm gon na we 'll they 've she 'd"
    ),
    "50% of $5.50 & #1": "50 % of $ 5.50 & # 1",
    "Mr. Smith vs. Dr. No - the end": "mr. smith vs. dr. no the end",
    "1,000 men; 3-year-old's toy": "1,000 men 3-year-old 's toy",
    "well--dashed and semi;colon": "well dashed and semi colon",
    'A t-shirt that says "I <3 NY"': "a t-shirt that says i < 3 ny",
    "café naïve ‘quoted’ words' end": "café naïve quoted words end",
    "wanna gimme lemme gotta": "wan na gim me lem me got ta",
    "it ’s a man’s hat “quoted”": "it 's a man 's hat quoted",
}


@pytest.mark.parametrize(("text", "expected"), PUBLISHED.items())
def test_words_are_as_the_published_tokenizer_leaves_them(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize("text", PUBLISHED.values())
def test_words_that_were_split_before_stay(text: str) -> None:
    assert words(text) == text.split()


def test_marks_that_the_tokenizer_writes_are_dropped() -> None:
    assert words("`` a '' -lrb- b -rrb- -- c ... -lsb- d -RSB- .") == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("अच्छा लड़का, दौड़ता है।", ["अच्छा", "लड़का", "दौड़ता", "है"]),
        ("Ein Mädchen läuft – schnell!", ["ein", "mädchen", "läuft", "schnell"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("¿Dónde está «el perro»?", ["dónde", "está", "el", "perro"]),
        ("两 只 狗 打架。", ["两", "只", "狗", "打架"]),
        ("מה זה?", ["מה", "זה"]),
    ],
)
def test_words_of_other_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_characters_of_scripts_without_blanks() -> None:
    assert characters("两只狗， “打架” 。") == list("两只狗打架")
    assert characters("ผู้ชาย!") == ["ผู้", "ช", "า", "ย"]
    assert characters("`A 5%.") == ["a", "5", "%"]


@given(st.text())
def test_any_text_is_split_once_and_for_all(text: str) -> None:
    found = words(text)
    assert all(word == word.strip() and word for word in found)
    assert words(" ".join(found)) == found
