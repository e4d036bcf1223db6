"""A folder of pictures: a folder for each class, or captions in .txt files or in metadata tables."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.records import Sample
from weft.data.formats._columns import table_samples
from weft.data.formats._files import read_text
from weft.data.formats._pictures import File, files_below, has_pictures
from weft.data.formats._rows import OnError, UniqueIds, folder_split, is_picture
from weft.data.formats._tables import (
    CSV_SUFFIXES,
    JSON_SUFFIXES,
    is_metadata,
    table_rows,
)

NAME = "folder"
DESCRIPTION = (
    "pictures in one folder a class, or with a .txt beside each, or metadata.csv; train/, test/"
)
log = logging.getLogger("weft.data")


def detect(path: Path) -> bool:
    return has_pictures(path) if path.is_dir() else is_metadata(path) and has_pictures(path.parent)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a picture, or one a row of the metadata.

    Text is the list of the lines of the .txt file with the picture's stem; in a folder with such files
    a picture without one is an error. metadata.csv, .tsv, .jsonl or .parquet (file_name, text, ...)
    describes the pictures beside and below it. Other pictures are labelled by their folder. Top
    folders are splits where all are named train, val, test, ... Linked folders are read as folders;
    links to one file are one group.
    """
    root = path if path.is_dir() else path.parent
    contents = _contents(root, on_error)
    in_splits = _are_splits(contents, root)
    samples, left_out = _described(contents, root, on_error), 0
    described = {_picture(sample) for sample in samples}
    tables = {table.parent for table in contents.metadata}
    for file in contents.pictures:
        if file.path in described:
            continue
        if tables.intersection(file.path.parents):
            left_out += 1
            continue
        try:
            samples.append(_sample(file, contents, root, in_splits))
        except DataError as error:
            on_error(error)
    if left_out:
        names = ", ".join(str(table) for table in contents.metadata)
        log.warning("%d pictures are left out, which are not in %s", left_out, names)
    return [_with_split(sample, root) for sample in samples] if in_splits else samples


@dataclass
class _Contents:
    """What lies below the folder. texts: (folder, stem) -> .txt file. groups: real place -> name."""

    pictures: list[File] = field(default_factory=list)
    texts: dict[tuple[Path, str], Path] = field(default_factory=dict)
    captioned: set[Path] = field(default_factory=set)
    metadata: list[Path] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)


def _contents(root: Path, on_error: OnError) -> _Contents:
    found = _Contents()
    ignored: list[Path] = []
    for file in files_below(root, on_error):
        path, suffix = file.path, file.path.suffix.lower()
        if is_picture(path.name):
            found.pictures.append(file)
        elif suffix == ".txt":
            found.texts[path.parent, path.stem] = path
        elif is_metadata(path):
            found.metadata.append(path)
        elif suffix in (*CSV_SUFFIXES, *JSON_SUFFIXES, ".parquet"):
            ignored.append(path)
    for path, real in sorted(found.pictures):
        found.groups.setdefault(real, path.relative_to(root).as_posix())
        if (path.parent, path.stem) in found.texts:
            found.captioned.add(path.parent)
    for table in ignored:
        log.warning("%s is not read: name it metadata%s, or give its path", table, table.suffix)
    found.pictures.sort()
    return found


def _are_splits(contents: _Contents, root: Path) -> bool:
    """Whether the top folders are splits: all are named so. Raises WeftError where some are, others not.

    One class may be called train, as a locomotive is: that is a folder with pictures of its own beside
    folders of other names.
    """
    parts = [file.path.relative_to(root).parts for file in contents.pictures]
    tops = {names[0] for names in parts if len(names) > 1}
    splits = {name for name in tops if folder_split(name) is not None}
    if splits == tops:
        return bool(splits)
    has_folders = any(names[0] in splits and len(names) > 2 for names in parts)
    is_class = len(splits) == 1 and not has_folders
    if splits and not (is_class and not contents.captioned and not contents.metadata):
        raise WeftError(
            f"{root}: {_listed(splits)} named as a split, but {_listed(tops - splits)} not: expected "
            "top folders that are all splits or all classes; rename or move some, or give the path of one"
        )
    return False


def _listed(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"


def _described(contents: _Contents, root: Path, on_error: OnError) -> list[Sample]:
    """The samples of all metadata tables."""
    ids = UniqueIds()
    samples: list[Sample] = []
    for table in contents.metadata:
        within = table.parent.relative_to(root).as_posix()
        samples += table_samples(
            table_rows(table, on_error),
            table.parent,
            on_error,
            ids=ids,
            within="" if within == "." else within,
        )
    return samples


def _sample(file: File, contents: _Contents, root: Path, in_splits: bool) -> Sample:
    name = file.path.relative_to(root)
    folders = name.parts[in_splits:-1]
    items: dict[str, Any] = {"image": Media.file(file.path)}
    if file.path.parent in contents.captioned:
        items["text"] = _captions(file.path, contents)
    elif folders:
        items["label"] = folders[0]
    return Sample(name.as_posix(), contents.groups[file.real], items, str(file.path))


def _with_split(sample: Sample, root: Path) -> Sample:
    """The sample in the split of its top folder, where it names none itself."""
    image = _picture(sample)
    if "split" in sample.items or image is None or root not in image.parents:
        return sample
    split = folder_split(image.relative_to(root).parts[0])
    return sample if split is None else replace(sample, items={**sample.items, "split": split})


def _picture(sample: Sample) -> Path | None:
    image = sample.items.get("image")
    return image.path if isinstance(image, Media) else None


def _captions(picture: Path, contents: _Contents) -> Alternatives:
    file = contents.texts.get((picture.parent, picture.stem))
    if file is None:
        reason = f"has no captions: {picture.stem}.txt does not exist"
        raise DataError(reason, source=str(picture))
    captions = [line.strip() for line in read_text(file).splitlines() if line.strip()]
    if not captions:
        raise DataError("is empty, expected one caption a line", source=str(file))
    return Alternatives(captions)
