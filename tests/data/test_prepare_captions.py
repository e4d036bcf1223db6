"""Captions are cleaned, and their language is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.media import Alternatives
from weft.data.prepare import captions
from weft.data.prepare.clean import CleanConfig, clean_captions


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
        ("अच्छा लड़का दौड़ता है", "Devanagari script"),
        ("நாய் ஓடுகிறது", "Tamil script"),
        ("ผู้ชายสวมเสื้อ", "Thai"),
        ("Ａ ｄｏｇ ｉｓ ｏｎ ｔｈｅ ｍａｔ", "English"),
        ("xyzzy plugh", "Latin script"),
        ("12 !", "no letters"),
    ],
)
def test_language(caption: str, expected: str) -> None:
    assert captions.language(caption) == expected


@given(st.lists(st.text(max_size=30)), st.integers(0, 4), st.integers(1, 30))
def test_each_caption_is_kept_or_has_a_reason(all_: list[str], least: int, most: int) -> None:
    config = CleanConfig(min_caption_words=least, max_caption_chars=most)
    kept, reasons = clean_captions({"text": all_, "text_zh": all_[:2]}, config)
    texts = [caption for of_column in kept.values() for caption in of_column]
    assert list(kept) == ["text", "text_zh"]
    assert len(texts) + len(reasons) == len(all_) + len(all_[:2])
    assert all(len(c) <= most and len(captions.words(c)) >= least for c in texts)


def test_captions_are_alternatives_and_columns_that_are_called_so() -> None:
    items = {
        "text": "a dog",
        "text_zh": Alternatives(["一只狗"]),
        "said": Alternatives(["one dog", "a pup"]),
        "text_boxes": [[0.1, 0.2, 0.3, 0.4]],
        "choices": Alternatives([1, 2]),
        "question": "What runs?",
        "answer": "dog",
        "tags": ["brown dog", "green grass"],
        "split": "my test",
    }
    assert captions.captions_of(items) == {
        "text": ("a dog",),
        "text_zh": ("一只狗",),
        "said": ("one dog", "a pup"),
    }
    assert captions.sentences_of(items) == ("What runs?",)
    # Also behind a column of several texts, columns are texts by their name alone.
    said = {"text": Alternatives(["a dog", "answer"]), "answer": "dog", "question": "What runs?"}
    assert list(captions.captions_of(said, ["question"])) == ["text", "question"]
    assert captions.captions_of({"text": Alternatives(), "text_boxes": []}) == {"text": ()}
