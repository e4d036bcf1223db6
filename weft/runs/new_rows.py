"""Reads new rows for a run like its own rows, unless the user declares otherwise."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from weft.core.config import Config
from weft.core.errors import DataError, WeftError
from weft.core.files import read_file
from weft.core.interfaces import Modality
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.aligned import Aligned
from weft.data.context import InContext
from weft.data.formats import (
    KINDS,
    NOTHING_SAID,
    Dataset,
    OnError,
    Said,
    columns_of,
    open_dataset,
    raise_error,
)
from weft.data.hidden import Hidden
from weft.data.sources import BETWEEN, FilesConfig
from weft.modalities.cell import CellConfig
from weft.modalities.history import HistoryConfig
from weft.modalities.ngrams import NgramsConfig
from weft.modalities.table import TableConfig
from weft.modalities.text import TextConfig
from weft.runs.recipe import Recipe

LOOKED_AT = 20
"""Number of rows that are checked for pictures beside a table."""


def rows_like(
    recipe: Recipe, data: Path, on_error: OnError = raise_error, said: Said = NOTHING_SAID
) -> Dataset:
    """Reads the rows of a table or a folder like those of the recipe. on_error: called with the error of each
    unusable row.

    - Declarations about columns that these rows lack, such as the predicted one, are ignored.
    - The recipe's encoding is ignored if the table is UTF-8.
    - A column that the recipe reads keeps its kind.
    - Pictures that do not lie beside the table are sought where the recipe's pictures lie.
    - Alignment, hidden words and context apply as in the recipe, in the columns that the rows have.
    """
    rows = _rows_like(recipe, data, on_error, said)
    files = recipe.data.source.files
    if files is None:
        return rows
    some = list(_some(rows))
    known = {name for row in some for name in row.items}
    lists = {name for row in some for name, value in row.items.items() if isinstance(value, list)}
    if aligned := tuple(name for name in files.aligned if name in lists):
        rows = Aligned(rows, aligned)
    for column, words in files.hidden.items():
        rows = Hidden(rows, column, words.split(BETWEEN)) if column in known else rows
    context = files.context
    if context is None:
        return rows
    columns = tuple(name for name in context.columns if name in known)
    return InContext(rows, context.replace(columns=columns), str(data)) if columns else rows


def _rows_like(recipe: Recipe, data: Path, on_error: OnError, said: Said) -> Dataset:
    files = recipe.data.source.files
    if files is not None and said.encoding is None:
        said = replace(said, encoding=_encoding(data, files.encoding))
    if files is not None:
        said = replace(said, forms=files.forms)
    if not said.columns:
        said = replace(said, columns=said_of(recipe, _names(data, said)))
    folder = None if said.images_dir is not None or files is None else _pictures_of(files)
    if folder is None or _has_pictures(data, said):
        return open_dataset(data, said=said, on_error=on_error)
    there = replace(said, images_dir=folder)
    return open_dataset(data, said=there if _has_pictures(data, there) else said, on_error=on_error)


def _names(data: Path, said: Said) -> tuple[str, ...]:
    """Returns the columns; none if no row can be read, which the reader of the rows reports."""
    try:
        return columns_of(open_dataset(data, said=said, on_error=lambda _: None)).items
    except WeftError:
        return ()


def said_of(recipe: Recipe, names: Iterable[str]) -> dict[str, str]:
    """Returns the declarations about the columns `names` in the recipe's data, and the kinds in which its streams
    read them."""
    names = set(names)
    files = recipe.data.source.files
    said = {} if files is None else files.columns
    found = {key: value for key, value in said.items() if key in names or value in names}
    known = {*found, *found.values(), *KINDS}
    for stream, config in recipe.data.streams.items():
        for name, kind in _kinds(stream, config).items():
            if name in names - known:
                found[name] = kind
    return found


def _kinds(stream: str, config: Config[Modality]) -> Mapping[str, str]:
    match config:
        case CellConfig():
            return {stream: config.kind}
        case HistoryConfig():
            return {}  # a text, or turns
        case TextConfig() | NgramsConfig():
            return {stream: "text"}
        case TableConfig():
            of = ("number", config.numbers), ("category", config.categories), ("date", config.dates)
            return {name: kind for kind, columns in of for name in columns}
    return {}


def _encoding(data: Path, before: str | None) -> str | None:
    """Returns `before`, unless the table is UTF-8: non-ASCII bytes that are valid UTF-8 are hardly ever anything
    else."""
    if before is None or not data.is_file():
        return before
    found = read_file(data)
    if found.isascii():
        return before
    try:
        found.decode("utf-8")
    except UnicodeDecodeError:
        return before
    return None


def _pictures_of(files: FilesConfig) -> Path | None:
    """Returns the folder to which picture names in these files are relative; None if it does not exist."""
    folder = files.path if files.path.is_dir() else files.path.parent
    places = (files.images_dir, folder / "images", folder)
    return next((place for place in places if place is not None and place.is_dir()), None)


def _has_pictures(data: Path, said: Said) -> bool:
    """Whether some row has an existing file, or no row names one."""
    try:
        rows = list(_some(open_dataset(data, said=said, on_error=lambda _: None)))
    except WeftError:
        return True  # the reader of the rows reports it
    values = [value for row in rows for value in row.items.values()]
    flat: list[Any] = [v for one in values for v in (one if isinstance(one, list) else [one])]
    paths = [v.path for v in flat if isinstance(v, Media)]
    return any(path is None or os.path.isfile(path) for path in paths)


def _some(dataset: Dataset) -> Iterator[Sample]:
    for row in range(min(len(dataset), LOOKED_AT)):
        try:
            yield dataset[row]
        except DataError:
            continue
