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
    """Rows from the generated world, drawn as they are asked for."""

    scenes: ScenesConfig = field(default_factory=ScenesConfig)
    """How every scene is drawn and described; its split and count are not used."""
    rows: Literal["scenes", "questions", "dialogs"] = "scenes"
    """A row a scene, with its captions; or a row a question about a scene, about six times as many; or
    a row a turn of a dialog about a scene, with the turns before it."""
    columns: dict[str, str] = field(default_factory=dict)
    """Stream -> column that it reads in place of that of its name, such as text: question."""

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
