"""CSV and TSV tables with a header line."""

from pathlib import Path

from weft.core.files import open_file
from weft.data.formats._rows import OnError, TableRows, known_split
from weft.data.formats._said import NOTHING_SAID, Said
from weft.data.formats._table_samples import table_samples
from weft.data.formats._tables import CSV_SUFFIXES, csv_rows, has_tables, tables, with_split

NAME = "csv"
DESCRIPTION = (
    "a table with a header (image, caption, id, group, match, split, ...), comma, tab, ; or |"
)
PREFERRED = "captions.csv"
KAGGLE = "captions.txt"
"""Flickr8k also circulates with its captions as `image,caption` lines in a file of this name."""


def detect(path: Path) -> bool:
    return has_tables(path, CSV_SUFFIXES) or bool(_kaggle(path))


def read(path: Path, on_error: OnError, said: Said = NOTHING_SAID) -> TableRows:
    """One sample a row; rows of one picture have the picture as their group."""
    files = tables(path, CSV_SUFFIXES, PREFERRED) or _kaggle(path)
    rows = (
        (source, with_split(row, known_split(file.stem)))
        for file in files
        for source, row in csv_rows(file, on_error, said.encoding)
    )
    return table_samples(rows, path if path.is_dir() else path.parent, on_error, said=said)


def _kaggle(path: Path) -> list[Path]:
    files = path.iterdir() if path.is_dir() else [path]
    return [p for p in files if p.name.lower() == KAGGLE and p.is_file() and _is_kaggle(p)]


def _is_kaggle(path: Path) -> bool:
    with open_file(path) as file:
        return file.readline(100).strip() == b"image,caption"
