"""The world of clips as videos of several parts: one row for each event, with the sentence that states it."""

import functools
from typing import Any

from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.worlds.clips.dataset import Clips, ClipsConfig
from weft.worlds.clips.drawing import video_of_turn
from weft.worlds.clips.world import OBJECTS, SECONDS, TURN, Clip
from weft.worlds.drawn import DrawnRows


class ClipEvents(DrawnRows):
    """The events of each clip in order of time, as clips and sentences of a video with its paragraph.

    The group of a row is the whole clip; its match is its own event. Items: video: the frames of the event's turn.
    text: sentences in the first of the chosen languages; those in another language are text_zh or text_en. turn: "1"
    to "3". split.
    """

    what = "events"

    def __init__(self, config: ClipsConfig) -> None:
        super().__init__(config)
        self._clips = Clips(config)
        self._told = functools.lru_cache(maxsize=16)(self._tell)

    def __len__(self) -> int:
        return len(self._clips) * OBJECTS

    def _draw_row(self, index: int) -> Sample:
        number, turn = divmod(index, OBJECTS)
        config = self._clips.config
        clip, sentences = self._told(number)
        first, *others = config.languages
        frames = max(2, round(config.frames * TURN / SECONDS))
        start = clip.events[turn].start
        items: dict[str, Any] = {
            "video": Media.frames(
                lambda: video_of_turn(clip, start, frames, config.size, config.noise), frames / TURN
            ),
            "text": Alternatives(sentences[first][turn]),
            **{f"text_{one}": Alternatives(sentences[one][turn]) for one in others},
            "turn": str(turn + 1),
            "split": config.split,
        }
        group = f"{config.split}-{number:06d}"
        name = f"{group}-{turn + 1}"
        return Sample(name, group, items, f"clips:{config.split}/{number}", match=name)

    def _tell(self, number: int) -> tuple[Clip, dict[str, list[list[str]]]]:
        """The clip, and for each language the sentences of its events."""
        clip = self._clips.clip(number)
        languages = self._clips.config.languages
        return clip, {one: self._clips.sentences(clip, number, one) for one in languages}
