"""Prompted scenes: what the prompt asks for is what the picture shows."""

import re
from collections import Counter

import numpy as np
import pytest

from weft.heads.cells import Found
from weft.tasks.composition import is_shown, share_named
from weft.worlds.digits import draw_digit
from weft.worlds.scenes.prompts import KINDS, NAMED_PAIRS, PromptedScenesConfig, PromptsConfig
from weft.worlds.scenes.world import HELD_OUT


def truth(sample: dict) -> list[Found]:
    """The objects as a finder that makes no mistake finds them."""
    found = []
    for thing in sample["objects"]:
        x0, y0, x1, y1 = thing["box"]
        attributes = {name: thing[name] for name in ("shape", "color")}
        found.append(Found(attributes, ((x0 + x1) / 2, (y0 + y1) / 2), 1.0))
    return found


@pytest.mark.parametrize("split", ["train", "test", "test_heldout"])
def test_every_picture_shows_what_its_prompt_asks_for(split: str) -> None:
    scenes = PromptedScenesConfig(count=120, split=split).build()
    kinds: Counter[str] = Counter()
    for sample in scenes:
        asked, objects = sample.items["asked"], truth(sample.items)
        kinds[sample.items["kind"]] += 1
        assert is_shown(asked, objects)
        assert share_named(asked, objects) == 1
        words = set(re.findall(r"[a-z]+", sample.items["text"]))
        for named in asked["objects"]:
            assert any(word.startswith(named["shape"]) for word in words)
            assert named.get("color", next(iter(words))) in words
    assert set(kinds) == set(NAMED_PAIRS if split == "test_heldout" else KINDS)


def test_a_prompt_is_not_shown_where_something_is_amiss() -> None:
    red, blue = (
        Found({"shape": shape, "color": color}, (x, 0.5), 1.0)
        for shape, color, x in (("star", "red", 0.2), ("heart", "blue", 0.8))
    )
    binding = {"objects": [{"shape": "star", "color": "blue"}, {"shape": "heart", "color": "red"}]}
    assert not is_shown(binding, [red, blue])
    assert share_named(binding, [red, blue]) == 0
    one = {"objects": [{"shape": "star"}], "count": 1}
    assert is_shown(one, [red, blue])
    assert not is_shown(one, [red, red])
    beside = {"objects": [{"shape": "star"}, {"shape": "heart"}], "relation": "left"}
    assert is_shown(beside, [red, blue])
    assert not is_shown({**beside, "relation": "right"}, [red, blue])
    assert not is_shown({"objects": [{"shape": "star"}, {"shape": "star"}]}, [red, blue])


def test_held_out_pairs_are_named_in_their_split_alone() -> None:
    def named(split: str) -> set[bool]:
        return {
            any(
                (one.get("color"), one["shape"]) in HELD_OUT
                for one in sample.items["asked"]["objects"]
            )
            for sample in PromptedScenesConfig(count=80, split=split).build()
        }

    assert named("train") == {False}
    assert named("test_heldout") == {True}


def test_rows_are_functions_of_their_number_and_the_source_knows_its_splits() -> None:
    one, other = (PromptsConfig(validation=3).open("validation") for _ in range(2))
    assert [s.items["text"] for s in one] == [s.items["text"] for s in other]
    assert np.array_equal(one[2].items["image"].array(), other[2].items["image"].array())
    assert len(one) == 3


def test_digits_are_drawn_alike_for_a_seed_and_each_in_its_own_way() -> None:
    pictures = {digit: draw_digit(digit, 32, (0, 1)) for digit in range(10)}
    assert all(one.shape == (32, 32, 3) and one.dtype == np.uint8 for one in pictures.values())
    assert np.array_equal(pictures[3], draw_digit(3, 32, (0, 1)))
    assert not np.array_equal(pictures[3], draw_digit(3, 32, (0, 2)))
    assert len({one.tobytes() for one in pictures.values()}) == 10
