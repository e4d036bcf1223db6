"""Excel tables with a header, by the extra `excel`."""

from pathlib import Path

from weft.data.formats._excel_rows import excel_rows
from weft.data.formats._rows import OnError, TableRows, known_split
from weft.data.formats._said import NOTHING_SAID, Said
from weft.data.formats._table_samples import table_samples
from weft.data.formats._tables import EXCEL_SUFFIXES, has_tables, tables, with_split

NAME = "excel"
DESCRIPTION = "an Excel table (.xlsx) with a header, its first sheet; needs weft[excel]"


def detect(path: Path) -> bool:
    return has_tables(path, EXCEL_SUFFIXES)


def read(path: Path, on_error: OnError, said: Said = NOTHING_SAID) -> TableRows:
    """One sample a row; picture paths are relative to the file or to images/ beside it."""
    rows = (
        (source, with_split(row, known_split(file.stem)))
        for file in tables(path, EXCEL_SUFFIXES)
        for source, row in excel_rows(file)
    )
    return table_samples(rows, path if path.is_dir() else path.parent, on_error, said=said)
