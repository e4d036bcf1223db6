"""The world of clips as the rows of a recipe."""

from dataclasses import dataclass, field
from typing import Literal

from weft.data.formats import Dataset
from weft.worlds.clips.dataset import ClipsConfig
from weft.worlds.clips.event_rows import ClipEvents
from weft.worlds.clips.question_rows import ClipQuestions
from weft.worlds.drawn import DrawnSource


@dataclass(frozen=True)
class GeneratedClipsConfig(DrawnSource):
    """Rows from the world of clips, generated on access."""

    clips: ClipsConfig = field(default_factory=ClipsConfig)
    """Settings of clips and captions. Its split and count are not used."""
    rows: Literal["clips", "questions", "events"] = "clips"
    """clips: one row for each clip, with its captions. questions: one row for each question about a clip, about five
    times as many. events: one row for each event, with its part of the clip and its sentence, three times as many."""

    @property
    def words(self) -> str:
        return "generated clips" if self.rows == "clips" else f"generated clips ({self.rows})"

    def rows_of(self, split: str, count: int) -> Dataset:
        clips = self.clips.replace(split=split, count=count)
        kinds = {"clips": ClipsConfig.build, "questions": ClipQuestions, "events": ClipEvents}
        return kinds[self.rows](clips)
