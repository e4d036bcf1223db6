"""The generated world as questions: one row for each question."""

import threading
from typing import Any

from weft.core.media import Media
from weft.core.samples import Sample
from weft.worlds.drawn import DrawnRows
from weft.worlds.scenes.dataset import Scenes, ScenesConfig, attributes, regions_of


class ScenePictures:
    """The picture of each scene by its number, and its columns objects and regions.

    A picture is drawn at its first use and cached, since it is read once for each question and again in
    every epoch. A scene of 64 x 64 pixels takes 12 KB.
    """

    def __init__(self, scenes: Scenes) -> None:
        self._scenes = scenes
        self._lock = threading.Lock()
        self._drawn: dict[int, tuple[Media, dict[str, Any]]] = {}

    def __getitem__(self, number: int) -> tuple[Media, dict[str, Any]]:
        with self._lock:
            if number not in self._drawn:
                scene = self._scenes.scene(number)
                objects = [attributes(thing) for thing in scene.objects]
                image = Media.array_of(lambda: self._scenes.image(scene), "image")
                seen = {"objects": objects, "regions": regions_of(scene)}
                self._drawn[number] = image, seen
            return self._drawn[number]


class SceneQuestions(DrawnRows):
    """Up to six questions about each scene, in order; the scene is their group.

    Items: image, question, answer, type, objects, regions, split.
    """

    what = "questions"

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__(config)
        self.config = config
        scenes = Scenes(config)
        self._pictures = ScenePictures(scenes)
        self._rows: list[tuple[int, dict[str, str]]] = []
        for number in range(len(scenes)):
            asked = scenes.questions(scenes.scene(number), number)
            self._rows += [(number, question) for question in asked]

    def __len__(self) -> int:
        return len(self._rows)

    def _draw_row(self, index: int) -> Sample:
        number, question = self._rows[index]
        group = f"{self.config.split}-{number:06d}"
        name = f"{group}-{question['type']}"
        image, seen = self._pictures[number]
        items = {"image": image, **question, **seen, "split": self.config.split}
        return Sample(name, group, items, f"scenes:{self.config.split}/{number}")
