"""Maps streams of a recipe to the columns of a user's own table."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from weft.core.errors import DataError, WeftError
from weft.core.interfaces import ReadsColumns
from weft.core.kinds import COLUMN_KINDS
from weft.core.needs import Needing
from weft.data.column_kinds import ColumnKind
from weft.data.formats import NOTHING_SAID, ROLES, Dataset, Said, columns_of, open_dataset
from weft.data.policy import ErrorPolicy
from weft.data.prepare.split import TRAIN
from weft.data.schema import Schema, infer, require_files
from weft.data.sources import FilesConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.base import reading_with

log = logging.getLogger("weft.data")
KINDS: dict[str, tuple[ColumnKind, ...]] = {
    "text": ("text",),
    "image": ("image", "images"),
    "audio": ("audio",),
    "video": ("video",),
}
"""Name of a stream -> the kinds of column that it may read."""


def on_files(recipe: Recipe, data: Path | str | None, said: Said = NOTHING_SAID) -> Recipe:
    """Returns `recipe` with its rows read from the files at `data`, a path or an address.

    said: the user's declarations about the table. If the recipe already reads files, its declarations and encoding
    remain unless others are given; without `data` its files do too. A stream `text` or `image` without a column of
    its name reads the only column of its kind. Rows without a split are divided as in training, so the same files
    have the same test rows. Unreadable rows of `data` are left out, see `leaving_out`. Raises WeftError if a stream
    finds no column.
    """
    before = recipe.data.source.files
    if before is not None:
        kept = before
    elif data is not None:
        kept = FilesConfig(Path(data))
    else:
        raise WeftError(
            "options that describe a table (--columns, ...) need the table: --data PATH"
        )
    other = (
        data is not None
    )  # the recipe's joins, controls and folds do not apply to the user's files
    source = kept.replace(
        path=kept.path if data is None else Path(data),
        format=None if other else kept.format,
        columns=dict(said.columns or kept.columns),
        images_dir=said.images_dir or (None if other else kept.images_dir),
        encoding=said.encoding or kept.encoding,
        joined={} if other else kept.joined,
        held_out={} if other else kept.held_out,
        shuffled={} if other else kept.shuffled,
    ).absolute()
    source = with_columns_found(source, recipe.data)
    recipe = recipe.replace(data=replace(recipe.data, source=source))
    return leaving_out(recipe) if other else recipe


def leaving_out(recipe: Recipe) -> Recipe:
    """Returns the recipe with unreadable rows left out, named and counted, instead of being stopped by them.

    Data sets that come with recipes have no such rows, so one means that something is broken. The user's own tables
    often have some.
    """
    if recipe.data.errors.mode != "raise":
        return recipe
    errors = ErrorPolicy("skip")
    tasks = {name: reading_with(task, errors) for name, task in recipe.tasks.items()}
    return recipe.replace(data=replace(recipe.data, errors=errors), tasks=tasks)


def on_new_files(recipe: Recipe, data: Path | str | None, said: Said = NOTHING_SAID) -> Recipe:
    """Returns the recipe of a trained run with its rows read from the files at `data`, as `on_files` does.

    If these files lack the run's column for the group, match, id or split, which only training needs, this is logged
    and the rows are read without it.
    """
    source = recipe.data.source.files
    if source is not None and data is not None and not said.columns:
        source = _without_lacking_roles(source, Path(data), said)
        recipe = recipe.replace(data=replace(recipe.data, source=source))
    return on_files(recipe, data, said)


def require_a_stream(recipe: Recipe, streams: Sequence[str]) -> None:
    """Raises DataError if the recipe's files have no column for any of these streams."""
    source = recipe.data.source
    if not isinstance(source, FilesConfig):
        raise TypeError(f"the source is a {type(source).__name__}, expected a FilesConfig")
    known = columns_of(source.open_every()).items
    columns: list[str] = []
    for stream in streams:
        config = recipe.data.streams[stream]
        columns += config.columns if isinstance(config, ReadsColumns) else [stream]
    if known and not set(columns).intersection(known):
        named = next((stream for stream in streams if stream in KINDS), None)
        wanted, has = ", ".join(columns), ", ".join(known)
        raise DataError(
            f"has none of the columns that this run reads ({wanted}); it has: {has}; --columns {named}=COLUMN names one"
            if named
            else f"has none of the columns that this run reads ({wanted}); it has: {has}",
            source=str(source.path),
        )


def _without_lacking_roles(source: FilesConfig, data: Path, said: Said) -> FilesConfig:
    """Returns the source without declarations of roles by columns that the files at `data` lack."""
    roles = {role: column for role, column in source.columns.items() if role in ROLES}
    if not roles:
        return source
    written = Said(images_dir=said.images_dir, encoding=said.encoding or source.encoding)
    try:
        known = columns_of(open_dataset(data, said=written, on_error=lambda _: None))
    except WeftError:  # the reader of the rows reports it
        return source
    names = {*known.items, *known.meanings.values()}
    lacking = {role: column for role, column in roles.items() if names and column not in names}
    for role, column in lacking.items():
        log.warning(
            "%s: has no column '%s', the %s of the training rows; its rows are read without one "
            "(--columns %s=COLUMN names one)",
            *(data, column, role, role),
        )
    return source.replace(columns={k: v for k, v in source.columns.items() if k not in lacking})


def schema_of(data: Path | str, said: Said = NOTHING_SAID) -> Schema:
    """Infers the columns of the training rows of the files at `data`. Raises WeftError if no row can be read, or a
    column names pictures but none of them exists."""
    columns = dict(said.columns)
    source = FilesConfig(
        Path(data), columns=columns, images_dir=said.images_dir, encoding=said.encoding
    )
    if not len(source.open_every()):
        raise WeftError(f"{data}: has no row that can be read")
    schema = infer(source.open(TRAIN, ErrorPolicy("skip", limit=1.0)), columns, said.merge)
    require_files(schema, data)
    return schema


def with_columns_found(source: FilesConfig, data: DataConfig) -> FilesConfig:
    """Returns the source with a column for each stream `image`, `text`, ... that no column is named after.

    This is the only column of its kind, and the choice is logged. If there are several or none, or the files cannot
    be read, the source stays as it is.
    """
    try:
        dataset = source.open_every()
    except WeftError:  # the reader of the rows reports it
        return source
    source = source.with_forms(dataset)
    lacking = _lacking(dataset, data.streams.keys() & KINDS.keys())
    schema = infer(dataset, source.columns) if lacking else None
    for stream in lacking:
        fitting = () if schema is None else schema.of(*KINDS[stream])
        if len(fitting) == 1:
            log.warning(
                "%s: stream '%s' reads column '%s', the only one of its kind; --columns %s=COLUMN names another",
                *(source.path, stream, fitting[0], stream),
            )
            source = source.replace(columns={**source.columns, stream: fitting[0]})
    return source


def require_streams(recipe: Recipe, dataset: Dataset) -> None:
    """Raises WeftError if the data have no column for a stream that rows must have, or that an objective compares."""
    data = recipe.data
    needs = [one.needs for one in recipe.objectives.values() if isinstance(one, Needing)]
    compared = {stream for one in needs for stream in one.together}
    wanted = data.streams.keys() & ((data.streams.keys() - set(data.optional)) | compared)
    lacking = _lacking(dataset, wanted)
    if lacking:
        where = str(data.source.path) if isinstance(data.source, FilesConfig) else "the data"
        raise _not_found(lacking, where, infer(dataset))


def _lacking(dataset: Dataset, streams: Iterable[str]) -> list[str]:
    items = columns_of(dataset).items
    return sorted(stream for stream in streams if stream not in items) if items else []


def _not_found(lacking: Sequence[str], where: str, schema: Schema) -> DataError:
    has = ", ".join(f"{name} ({column.kind})" for name, column in schema.columns.items())
    named = ",".join(f"{stream}=COLUMN" for stream in lacking if stream in KINDS)
    ways = [f"--columns {named}"] if named else []
    ways += [] if KINDS.keys() >= set(lacking) else ["the recipe's data.streams"]
    notes = [
        f"; column '{column.name}' {column.without_files}"
        for column in schema.columns.values()
        if set(COLUMN_KINDS).intersection(lacking) and column.without_files is not None
    ]
    if "audio" in lacking:
        videos = schema.of("video")[:1]
        notes += [f"; --columns audio={name} reads its sound tracks" for name in videos]
    way, names = " and ".join(ways) + "".join(notes), ", ".join(f"'{name}'" for name in lacking)
    return DataError(
        f"stream {names} needs a column {names}, the rows have {has}; name one with {way}"
        if len(lacking) == 1
        else f"streams {names} need columns with these names, the rows have {has}; name them with {way}",
        source=where,
    )
