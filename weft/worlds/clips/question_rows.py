"""The world of clips as questions: one row a question."""

from weft.core.samples import Sample
from weft.worlds.clips.dataset import Clips, ClipsConfig
from weft.worlds.drawn import DrawnRows


class ClipQuestions(DrawnRows):
    """Up to six questions about each clip, in order; the clip is their group.

    Items: image, video, audio, question, answer, type, objects, events, split.
    """

    what = "questions"

    def __init__(self, config: ClipsConfig) -> None:
        super().__init__(config)
        self._clips = Clips(config)
        self._rows: list[tuple[int, dict[str, str]]] = []
        for number in range(len(self._clips)):
            asked = self._clips.questions(self._clips.clip(number), number)
            self._rows += [(number, question) for question in asked]

    def __len__(self) -> int:
        return len(self._rows)

    def _draw_row(self, index: int) -> Sample:
        number, question = self._rows[index]
        clip = self._clips[number]
        left_out = ("questions", "text", "text_zh", "text_en")
        items = {k: v for k, v in clip.items.items() if k not in left_out} | question
        return Sample(f"{clip.id}-{question['type']}", clip.id, items, clip.source)
