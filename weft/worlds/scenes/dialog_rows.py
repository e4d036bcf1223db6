"""The generated world as dialogs: the questions about a scene are its turns."""

from itertools import groupby

from weft.core.samples import Sample
from weft.worlds.drawn import DrawnRows
from weft.worlds.scenes.dataset import ScenesConfig
from weft.worlds.scenes.question_rows import SceneQuestions
from weft.worlds.scenes.questions import ANSWERS

SEPARATOR = " | "
"""Between the turns."""


class SceneDialogs(DrawnRows):
    """One row a turn, with the turns before it; the scene is their group.

    Items: those of a question, and text: what was said before and the question; candidates: every
    answer of this world; right: the number of the right one.
    """

    what = "turns"

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__(config)
        self._questions = SceneQuestions(config)
        self._before: list[str] = []
        asked = (self._questions.asked(row) for row in range(len(self._questions)))
        for _, turns in groupby(asked, key=lambda turn: turn[0]):
            said = ""
            for _, question in turns:
                self._before.append(said)
                said += f"{question['question']} {question['answer']}{SEPARATOR}"

    def __len__(self) -> int:
        return len(self._before)

    def _draw_row(self, index: int) -> Sample:
        sample = self._questions[index]
        items = {
            **sample.items,
            "text": self._before[index] + sample.items["question"],
            "candidates": list(ANSWERS),
            "right": ANSWERS.index(sample.items["answer"]),
        }
        return Sample(sample.id, sample.group, items, sample.source)
