"""The world of clips as the rows of a recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from weft.core.errors import WeftError, unknown_name
from weft.data.formats import Dataset, split_name
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource
from weft.worlds.clips.dataset import ClipsConfig
from weft.worlds.clips.event_rows import ClipEvents
from weft.worlds.clips.question_rows import ClipQuestions
from weft.worlds.scenes.world import SPLITS


@dataclass(frozen=True)
class GeneratedClipsConfig(DataSource):
    """Rows from the world of clips, drawn as they are asked for."""

    train: int = 20000
    """Clips to train on."""
    validation: int = 500
    test: int = 1000
    """Clips in the split test, and in test_heldout, whose compositions are never trained on."""
    clips: ClipsConfig = field(default_factory=ClipsConfig)
    """How every clip is drawn and described; its split and count are not used."""
    rows: Literal["clips", "questions", "events"] = "clips"
    """A row a clip, with its captions; or a row a question about a clip, about five times as many; or a row an event,
    three times as many: the part of the clip and its sentence."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            if vars(self)[name] < 1:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least 1 clip")

    @property
    def words(self) -> str:
        return "generated clips" if self.rows == "clips" else f"generated clips ({self.rows})"

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:  # noqa: ARG002
        counts: Mapping[str, int] = {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
            "test_heldout": self.test,
        }
        if split is None:
            raise WeftError(f"the generated world has no end: name a split of {', '.join(counts)}")
        name = split_name(split)
        for known in SPLITS:
            if name == known:
                clips = self.clips.replace(split=known, count=counts[name])
                if self.rows == "events":
                    return ClipEvents(clips)
                return ClipQuestions(clips) if self.rows == "questions" else clips.build()
        raise unknown_name("split", split, counts)
