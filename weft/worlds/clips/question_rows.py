"""The world of clips as questions: one row for each question."""

from collections import Counter

from weft.core.samples import Sample
from weft.worlds.clips.dataset import Clips, ClipsConfig
from weft.worlds.drawn import DrawnRows


class ClipQuestions(DrawnRows):
    """The questions about each clip, in order; the clip is their group.

    Items: image, video, audio, question, answer, type, objects, events, split.
    """

    what = "questions"

    def __init__(self, config: ClipsConfig) -> None:
        super().__init__(config)
        self._clips = Clips(config)
        self._rows: list[tuple[int, str, dict[str, str]]] = []
        for number in range(len(self._clips)):
            seen = Counter[str]()
            for question in self._clips.questions(self._clips.clip(number), number):
                kind = question["type"]
                seen[kind] += 1
                name = kind if seen[kind] == 1 else f"{kind}-{seen[kind]}"
                self._rows.append((number, name, question))

    def __len__(self) -> int:
        return len(self._rows)

    def _draw_row(self, index: int) -> Sample:
        number, name, question = self._rows[index]
        clip = self._clips[number]
        left_out = ("questions", "text", "text_zh", "text_en")
        items = {k: v for k, v in clip.items.items() if k not in left_out} | question
        return Sample(f"{clip.id}-{name}", clip.id, items, clip.source)
