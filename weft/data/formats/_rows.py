"""What all formats share: from columns to samples, split names, pictures' places, error handling."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.records import Sample

OnError = Callable[[DataError], None]
"""Told of each row that cannot be used: raises, or returns to leave the row out."""

PICTURE_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("jpg", "jpeg", "jpe", "png", "webp", "gif", "bmp", "tif", "tiff"),
        *("heic", "heif", "avif", "jp2", "ppm", "pgm"),
    )
)
IMAGE_COLUMNS = ("image", "image_path", "image_name", "img_path")
FILE_COLUMNS = ("file_name", "filename", "filepath", "file", "path")
TEXT_COLUMNS = ("text", "captions", "caption", "sentences", "sentence", "comment")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


class Dataset(Protocol):
    """A sequence of samples whose bytes are read when a sample is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...


def raise_error(error: DataError) -> None:
    """The strict way to handle a bad row."""
    raise error


def split_name(name: str) -> str:
    """The project's name for a split: train, validation, test; another name stays as it is."""
    return SPLIT_NAMES.get(name.strip().lower(), name.strip())


def known_split(name: str) -> str | None:
    """The split that a file or folder name such as `val`, `train-0001` or `test_2` speaks of."""
    for end in range(len(name), 0, -1):
        if (end == len(name) or not name[end].isalpha()) and name[:end].lower() in SPLIT_NAMES:
            return split_name(name[:end])
    return None


def rows_of_split(splits: Sequence[str | None], split: str | None, path: Path) -> list[int]:
    """The row numbers of `split`, or of all rows. Raises WeftError that lists the splits."""
    if not splits:
        raise WeftError(f"{path}: holds no rows")
    if split is None:
        return list(range(len(splits)))
    wanted = split_name(split)
    chosen = [row for row, name in enumerate(splits) if name == wanted]
    if not chosen:
        known = {name for name in splits if name is not None}
        if not known:
            raise WeftError(f"{path}: has no splits, got split '{split}', expected none")
        raise WeftError(f"{path}: {unknown_name('split', split, known)}")
    return chosen


def select(samples: Sequence[Sample], split: str | None, path: Path) -> list[Sample]:
    """The samples of `split`, or all."""
    splits = [sample.items.get("split") for sample in samples]
    return [samples[row] for row in rows_of_split(splits, split, path)]


def picture_folder(candidates: Sequence[Path], names: Iterable[str]) -> Path:
    """The candidate that holds the pictures, judged by the first hundred names.

    Where none of them exists anywhere, the first candidate that is a folder; its pictures are then
    reported one by one when they are read.
    """
    for _, name in zip(range(100), names, strict=False):
        for folder in candidates:
            if os.path.exists(folder / name):  # unlike Path.exists, False for a name that cannot be
                return folder
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


class UniqueIds:
    """Finds ids that two rows share."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._repeats: dict[str, int] = {}

    def claim(self, identity: str, source: str) -> None:
        """Raises DataError naming both places where `identity` was taken before."""
        first = self._sources.setdefault(identity, source)
        if first != source:
            raise DataError(f"id '{identity}' is already used at {first}", source=source)

    def of_row(self, given: Any, name: str, source: str) -> str:
        """The id `given`, else `name`, and `name#1`, `name#2`, ... for further rows of one picture."""
        if given is not None:
            self.claim(str(given), source)
            return str(given)
        identity = name
        while self._sources.setdefault(identity, source) != source:
            self._repeats[name] = self._repeats.get(name, 0) + 1
            identity = f"{name}#{self._repeats[name]}"
        return identity


class Columns:
    """Which columns of a table are picture and text: the known names that most rows have.

    Every row must have those columns; a null says that this row has no picture or no text.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        counts = Counter(name for row in rows for name in row)
        files = Counter(name for row in rows for name in FILE_COLUMNS if _is_picture(row.get(name)))
        self.image = _most(IMAGE_COLUMNS, counts) or _most(FILE_COLUMNS, files)
        self.text = _most(TEXT_COLUMNS, counts)
        if self.image is None and self.text is None:
            raise DataError(
                f"has the columns {', '.join(rows[0]) or '(none)'}, expected one of "
                f"{', '.join(IMAGE_COLUMNS + FILE_COLUMNS)} or of {', '.join(TEXT_COLUMNS)}",
                source=source,
            )

    def check(self, row: Mapping[str, Any], source: str) -> None:
        """Raises DataError for a row that lacks a needed column."""
        for needed in (self.image, self.text):
            if needed is not None and needed not in row:
                raise DataError(
                    f"has no column '{needed}', it has: {', '.join(row) or '(none)'}",
                    source=source,
                )
        if self.text is not None and not is_text(row[self.text]):
            raise DataError(
                f"column '{self.text}' holds {row[self.text]!r:.60}, "
                "expected a string or a list of strings",
                source=source,
            )

    def items(self, row: Mapping[str, Any], image: Any) -> dict[str, Any]:
        """The items of a checked row whose picture (a path, bytes or None) is `image`."""
        items = {
            name: value
            for name, value in row.items()
            if value is not None and name not in (self.image, self.text, "id", "group", "split")
        }
        if image is not None:
            items["image"] = image
        if self.text is not None and row[self.text] is not None:
            items["text"] = row[self.text]
        if row.get("split") is not None:
            items["split"] = split_name(str(row["split"]))
        return items


def table_samples(
    rows: Iterable[tuple[str, dict[str, Any]]], folder: Path, on_error: OnError
) -> list[Sample]:
    """Samples of (source, columns) pairs whose picture paths are relative to `folder` or its images/."""
    table = list(rows)
    if not table:
        return []
    columns = Columns([row for _, row in table], table[0][0])
    image = columns.image
    names = [str(row[image]) for _, row in table if image is not None and row.get(image)]
    pictures = picture_folder((folder / "images", folder / "Images", folder), names)
    ids = UniqueIds()
    samples: list[Sample] = []
    for source, row in table:
        try:
            columns.check(row, source)
            path = None if image is None else picture_path(pictures, row[image], image, source)
            name = None if path is None or image is None else str(row[image])
            identity = ids.of_row(row.get("id"), name or source.rpartition("/")[2], source)
            group = name or identity if row.get("group") is None else str(row["group"])
            _check_unicode(identity + group, source)
            samples.append(Sample(identity, group, columns.items(row, path), source))
        except DataError as error:
            on_error(error)
    return samples


def missing_files(samples: Iterable[Sample]) -> Iterator[DataError]:
    """One error for each path in `samples` where there is no file."""
    for sample in samples:
        for name, value in sample.items.items():
            if isinstance(value, Path) and not os.path.isfile(value):
                yield DataError(f"{name} file {value} does not exist", source=sample.source)


def is_text(value: Any) -> bool:
    """Whether `value` can be a "text" item: a string, a list of strings, or None."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str)


def picture_path(folder: Path, name: Any, column: str, source: str) -> Path | None:
    """The path of a row's picture. Raises DataError where the column holds no path."""
    if name is None:
        return None
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataError(f"column '{column}' holds {name!r:.60}, expected a path", source=source)
    _check_unicode(name, source)
    return folder / name


def _is_picture(name: Any) -> bool:
    return isinstance(name, str) and Path(name).suffix.lower() in PICTURE_SUFFIXES


def _most(names: Sequence[str], counts: Mapping[str, int]) -> str | None:
    """The most frequent of `names`, the first one of several."""
    return max((n for n in names if counts.get(n)), key=lambda n: counts[n], default=None)


def _check_unicode(name: str, source: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        reason = f"a name holds half a surrogate pair: {name!a:.60}"
        raise DataError(reason, source=source) from None
