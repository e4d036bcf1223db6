"""The generated world of scenes as the rows of a recipe."""

from dataclasses import dataclass, field
from typing import Literal

from weft.data.formats import Dataset
from weft.data.other_column import OtherColumn
from weft.worlds.drawn import DrawnSource
from weft.worlds.scenes import ScenesConfig
from weft.worlds.scenes.dialog_rows import SceneDialogs
from weft.worlds.scenes.question_rows import SceneQuestions


@dataclass(frozen=True)
class GeneratedConfig(DrawnSource):
    """Rows from the generated world of scenes, generated on access."""

    scenes: ScenesConfig = field(default_factory=ScenesConfig)
    """Settings of scenes and captions. Its split and count are not used."""
    rows: Literal["scenes", "questions", "dialogs"] = "scenes"
    """scenes: one row for each scene, with its captions. questions: one row for each question about a scene,
    about six times as many. dialogs: one row for each turn of a dialog about a scene, with the turns before."""
    columns: dict[str, str] = field(default_factory=dict)
    """Stream -> column that it reads instead of the column of its own name, such as text: question."""

    @property
    def words(self) -> str:
        return "generated scenes" if self.rows == "scenes" else f"generated scenes ({self.rows})"

    def rows_of(self, split: str, count: int) -> Dataset:
        scenes = self.scenes.replace(split=split, count=count)
        kinds = {"scenes": ScenesConfig.build, "questions": SceneQuestions, "dialogs": SceneDialogs}
        rows: Dataset = kinds[self.rows](scenes)
        for name, column in self.columns.items():
            rows = OtherColumn(rows, name, column)
        return rows
