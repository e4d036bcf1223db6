"""The generated world as dialogs: one row for each turn."""

from weft.core.samples import Sample
from weft.worlds.drawn import DrawnRows
from weft.worlds.scenes.dataset import Scenes, ScenesConfig
from weft.worlds.scenes.dialogs import Turn, answers_of
from weft.worlds.scenes.question_rows import ScenePictures


class SceneDialogs(DrawnRows):
    """One row for each turn. The scene is the group.

    Items: image. question. history: the turns before, each {question, answer}; the first turn has none. answer.
    candidates: all answers of this world. right: index of the right candidate. round: number of the turn, from 1.
    type. needs: "history" or "picture". objects. regions. split.
    """

    what = "turns"

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__(config)
        self.config = config
        scenes = Scenes(config)
        self._pictures = ScenePictures(scenes)
        self._candidates = answers_of(config.colors, config.shapes)
        self._dialogs: list[list[Turn]] = [
            scenes.dialog(scenes.scene(number), number) for number in range(len(scenes))
        ]
        self._turns = [
            (number, place)
            for number, turns in enumerate(self._dialogs)
            for place in range(len(turns))
        ]

    def __len__(self) -> int:
        return len(self._turns)

    def _draw_row(self, index: int) -> Sample:
        number, place = self._turns[index]
        turn, before = self._dialogs[number][place], self._dialogs[number][:place]
        split = self.config.split
        group = f"{split}-{number:06d}"
        image, seen = self._pictures[number]
        history = [{key: said[key] for key in ("question", "answer")} for said in before]
        items = {
            "image": image,
            **turn,
            **({"history": history} if history else {}),
            "candidates": list(self._candidates),
            "right": self._candidates.index(turn["answer"]),
            "round": place + 1,
            **seen,
            "split": split,
        }
        return Sample(f"{group}-{place + 1}", group, items, f"scenes:{split}/{number}")
