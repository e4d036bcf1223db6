"""Names become words."""

import pytest

from weft.core.naming import plain, shown


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text_zh", "Chinese text"),
        ("text_zhs", "Chinese texts"),
        ("text_zhs_per_image", "Chinese texts per image"),
        ("image_to_text_zh/recall@1", "image to Chinese text, recall@1"),
        ("left_out_unreadable", "left out unreadable"),
        ("zh", "zh"),
        ("de_facto", "de facto"),
        ("images", "images"),
        ("", ""),
    ],
)
def test_names_are_said_in_words(name: str, said: str) -> None:
    assert plain(name) == said


def test_a_value_is_written_as_people_do() -> None:
    assert [shown(value) for value in (["red", "blue"], [], 3, "a")] == [
        *("red; blue", "none", "3", "a"),
    ]
