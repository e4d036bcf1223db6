"""Dialogs of the generated world: what is said is true, and what follows needs what was said before."""

import re
from collections import Counter

import pytest

from weft.worlds.scenes import ScenesConfig
from weft.worlds.scenes.dataset import Scenes
from weft.worlds.scenes.dialog_rows import SceneDialogs
from weft.worlds.scenes.world import Object, Scene, region

COUNT = 300


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes(ScenesConfig(count=COUNT))


def test_every_answer_is_true(scenes: Scenes) -> None:
    """A reader who knows the scene and keeps in mind who was spoken of last gives the same answers."""
    turns = 0
    for number in range(COUNT):
        scene = scenes.scene(number)
        reader = Reader(scene)
        for turn in scenes.dialog(scene, number):
            assert reader.answer(turn["question"]) == turn["answer"], (number, turn)
            turns += 1
    assert turns > 4 * COUNT


class Reader:
    """Answers questions about a scene, one after another."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.thing: Object | None = None
        self.asked = ""

    def answer(self, question: str) -> str:
        words = re.sub(r"[?]", "", question.lower()).split()
        named = self._named(words)
        if question.startswith("How many"):
            return str(len(named))
        if question.startswith(("Is there", "Can you see")):
            if named:
                (self.thing,), self.asked = named, ""
            return "yes" if named else "no"
        if question.startswith("And"):
            (self.thing,) = named
        else:
            if named:
                (self.thing,) = named
            else:
                assert {"it", "its"} & set(words)
            asked = ("color", "shape", "small", "large", "where")
            self.asked = next(word for word in asked if self._asks(word, words))
        assert self.thing is not None
        if self.asked in ("small", "large"):
            return "yes" if self.thing.size == self.asked else "no"
        return (
            region(self.thing) or ""
            if self.asked == "where"
            else str(getattr(self.thing, self.asked))
        )

    def _asks(self, word: str, words: list[str]) -> bool:
        return word in words or (word == "where" and "place" in words)

    def _named(self, words: list[str]) -> list[Object]:
        singular = (
            {w.removesuffix("s") for w in words}
            | set(words)
            | {w.removesuffix("es") for w in words}
        )
        colors = singular.intersection(self.scene.colors)
        shapes = singular.intersection(self.scene.shapes)
        if not colors and not shapes:
            return []
        return [
            thing
            for thing in self.scene.objects
            if (not colors or thing.color in colors) and (not shapes or thing.shape in shapes)
        ]


def test_rows_hold_the_turns_before() -> None:
    rows = SceneDialogs(ScenesConfig(count=20))
    said: list[dict[str, str]] = []
    for row in rows:
        if row.items["round"] == 1:
            said = []
            assert "history" not in row.items
        assert row.items.get("history", []) == said
        assert row.items["candidates"][row.items["right"]] == row.items["answer"]
        said = [*said, {"question": row.items["question"], "answer": row.items["answer"]}]


def test_half_of_the_turns_need_the_history_and_yes_is_no_likelier(scenes: Scenes) -> None:
    turns = [turn for n in range(COUNT) for turn in scenes.dialog(scenes.scene(n), n)]
    needs = Counter(turn["needs"] for turn in turns)
    assert needs["history"] > 0.5 * len(turns)
    for turn in turns:
        speaks = re.search(r"\b(it|its)\b|^And ", turn["question"]) is not None
        assert speaks == (turn["needs"] == "history")
    said = Counter(t["answer"] for t in turns if t["answer"] in ("yes", "no"))
    assert 0.45 < said["yes"] / said.total() < 0.55


def test_all_that_is_asked_of_it_is_asked_of_a_named_object_too(scenes: Scenes) -> None:
    turns = [turn for n in range(COUNT) for turn in scenes.dialog(scenes.scene(n), n)]
    types = {
        needs: {turn["type"] for turn in turns if turn["needs"] == needs}
        for needs in ("history", "picture")
    }
    assert types["history"] - {"and"} == {"color", "shape", "place", "size"}
    assert types["history"] - {"and"} <= types["picture"]
