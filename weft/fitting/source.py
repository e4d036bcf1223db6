"""The rows of a data set, in the splits that `weft fit` assigned."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.documents import read_mapping
from weft.core.errors import WeftError, unknown_name
from weft.data.formats import Dataset, Subset
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource, FilesConfig


@dataclass(frozen=True)
class AssignedConfig(DataSource):
    """Rows of another source. A file assigns a split to each row id. Rows that are not in the file are left out."""

    source: DataSource
    """Source of the rows."""
    splits: Path
    """JSON: {"splits": {id of a row: its split}, "notes": [sentences for the user about the rows]}."""

    @property
    def words(self) -> str:
        return self.source.words

    @property
    def files(self) -> FilesConfig | None:
        return self.source.files

    @property
    def notes(self) -> tuple[str, ...]:
        try:
            said: Any = read_mapping(self.splits).get("notes")
        except WeftError:
            return ()  # the rows are missing too, and `open` raises
        return tuple(map(str, said)) if isinstance(said, list) else ()

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:
        dataset = self.source.open(None, errors)
        assigned: Any = read_mapping(self.splits).get("splits")
        if not isinstance(assigned, dict):
            raise WeftError(f"{self.splits}: has no 'splits' of rows")
        rows: list[int] = []
        for row in range(len(dataset)):
            said = assigned.get(dataset[row].id)
            if said is not None and split in (None, said):
                rows.append(row)
        if not rows and split is not None:
            raise WeftError(
                f"{self.splits}: {unknown_name('split', split, set(map(str, assigned.values())))}"
            )
        return Subset(dataset, rows, [str(assigned[dataset[row].id]) for row in rows])
