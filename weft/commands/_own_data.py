"""Flags that describe the user's own table."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from weft.core.cells import merges_of
from weft.core.errors import WeftError
from weft.data.formats import Said


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """The user's settings for reading a table."""

    columns: str | None = None
    """Meaning of the columns, separated by commas. Write MEANING=COLUMN (image=Bild,text=Befund,group=Patient) or
    COLUMN=KIND (Preis=number)."""
    images_dir: Path | None = None
    """Folder of the pictures, sounds or videos that the table names. If not given: images/, or folders such as clips/ and
    audio/, beside the table, or else the table's own folder."""
    encoding: str | None = None
    """Text encoding of the table, such as cp1252 or gbk. If not given: the encoding of its byte-order mark, or else
    UTF-8."""

    def said(self, data: Path | None = None) -> Said:
        """The settings in the form for the reader of the table `data`. Raises WeftError for invalid ones."""
        folder = self.images_dir
        if folder is not None and not folder.is_dir() and data is not None:
            beside = (data if data.is_dir() else data.parent) / folder
            folder = beside if beside.is_dir() else folder
        return Said(_columns(self.columns), folder and folder.absolute(), self.encoding)


@dataclass(frozen=True, kw_only=True)
class OwnLabels(OwnData):
    """The user's settings for a table that a recipe is built for, or that is checked."""

    merge_labels: str = ""
    """Differences between labels to ignore: capital letters (case), spaces (blanks), or both (case,blanks). Such labels
    are merged."""

    def said(self, data: Path | None = None) -> Said:
        return replace(super().said(data), merge=merges_of(self.merge_labels))


def _columns(words: str | None) -> dict[str, str]:
    """`image=Bild,text=Befund` as a mapping. Names of columns may contain commas."""
    found: dict[str, str] = {}
    for word in re.split(r",(?=[^,=]+=)", words or ""):
        key, equals, value = word.partition("=")
        if not word:
            continue
        if not (key.strip() and equals and value.strip()):
            raise WeftError(f"--columns: got '{word}', expected such as image=Bild,text=Befund")
        found[key.strip()] = value.strip()
    return found
