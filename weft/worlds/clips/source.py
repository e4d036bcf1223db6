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
    """Rows from the world of clips, drawn as they are asked for."""

    clips: ClipsConfig = field(default_factory=ClipsConfig)
    """How every clip is drawn and described; its split and count are not used."""
    rows: Literal["clips", "questions", "events"] = "clips"
    """A row a clip, with its captions; or a row a question about a clip, about five times as many; or a row an event,
    three times as many: the part of the clip and its sentence."""

    @property
    def words(self) -> str:
        return "generated clips" if self.rows == "clips" else f"generated clips ({self.rows})"

    def rows_of(self, split: str, count: int) -> Dataset:
        clips = self.clips.replace(split=split, count=count)
        kinds = {"clips": ClipsConfig.build, "questions": ClipQuestions, "events": ClipEvents}
        return kinds[self.rows](clips)
