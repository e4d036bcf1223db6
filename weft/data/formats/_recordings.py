"""Finds the sounds and videos of published data sets by name, anywhere below a folder."""

import os
from collections.abc import Iterable
from pathlib import Path

from weft.core.errors import DataError
from weft.core.kinds import NOUNS, Kind, kind_of
from weft.core.media import Media
from weft.data.formats._pictures import files_below


class RecordingFiles:
    """The sounds, or the videos, below `folder`, by name without suffix."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._folder, self._kind = folder, kind
        self._paths: dict[str, Path] = {}
        for file in files_below(folder, lambda _: None):
            if kind_of(file.name) == kind:
                stem = os.path.splitext(file.path.name)[0]
                self._paths.setdefault(stem, file.path)

    def find(self, stems: Iterable[str], source: str) -> Media:
        """Returns the file with the first of these names that exists. Raises DataError if none does."""
        names = list(stems)
        for stem in names:
            if stem in self._paths:
                return Media.file(self._paths[stem], self._kind, folder=self._folder)
        raise DataError(
            f"has no {NOUNS[self._kind]} '{names[0]}' below {self._folder}", source=source
        )
