"""The generated world of scenes as the rows of a recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from weft.core.errors import WeftError, unknown_name
from weft.data.formats import Dataset, split_name
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource
from weft.worlds.scenes import SPLITS, ScenesConfig
from weft.worlds.scenes.dialog_rows import SceneDialogs
from weft.worlds.scenes.question_rows import SceneQuestions


@dataclass(frozen=True)
class GeneratedConfig(DataSource):
    """Rows from the generated world, drawn as they are asked for."""

    train: int = 20000
    """Scenes to train on."""
    validation: int = 500
    test: int = 1000
    """Scenes in the split test, and in test_heldout, whose compositions are never trained on."""
    scenes: ScenesConfig = field(default_factory=ScenesConfig)
    """How every scene is drawn and described; its split and count are not used."""
    rows: Literal["scenes", "questions", "dialogs"] = "scenes"
    """A row a scene, with its captions; or a row a question about a scene, about six times as many; or
    the same with the questions before it and their answers."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            if vars(self)[name] < 1:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least 1 scene")

    @property
    def words(self) -> str:
        return "generated scenes" if self.rows == "scenes" else f"generated scenes ({self.rows})"

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
                scenes = self.scenes.replace(split=known, count=counts[name])
                if self.rows == "dialogs":
                    return SceneDialogs(scenes)
                return SceneQuestions(scenes) if self.rows == "questions" else scenes.build()
        raise unknown_name("split", split, counts)
