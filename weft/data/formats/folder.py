"""A folder of pictures, sounds or videos: a folder for each class, or captions in .txt files or in metadata tables.

Files that differ only in the suffix (1.mp4, 1.wav, 1.txt) are one sample. In a folder with pictures, sounds and
videos without a picture are left out.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.kinds import COLUMN_KINDS, kind_of
from weft.core.media import RECORDINGS, Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._files import read_text
from weft.data.formats._pictures import File, files_below, has_media
from weft.data.formats._rows import (
    KnownColumns,
    OnError,
    TableRows,
    UniqueIds,
    folder_split,
    is_picture,
)
from weft.data.formats._said import NOTHING_SAID, Said, SaidRows
from weft.data.formats._table_samples import table_samples
from weft.data.formats._tables import (
    CSV_SUFFIXES,
    JSON_SUFFIXES,
    is_metadata,
    table_rows,
)

NAME = "folder"
DESCRIPTION = "pictures, sounds or videos in one folder a class, or with a .txt beside each, or metadata.csv; train/, test/"
log = logging.getLogger("weft.data")


def detect(path: Path) -> bool:
    return has_media(path) if path.is_dir() else is_metadata(path) and has_media(path.parent)


def read(path: Path, on_error: OnError, said: Said = NOTHING_SAID) -> TableRows | SaidRows:
    """One sample a picture, sound or video, or one a row of the metadata.

    - Text is the list of lines in the .txt file with the same stem. In a folder with such files, a picture, sound or
      video without one is an error.
    - metadata.csv, .tsv, .jsonl or .parquet (file_name, text, ...) describes the files beside and below it.
    - All other files are labelled by their folder.
    - Top folders are splits if all are named train, val, test, ...
    - Linked folders are read as folders. Links to the same file are one group.
    """
    root = path if path.is_dir() else path.parent
    contents = _contents(root, on_error)
    in_splits = _are_splits(contents, root)
    samples, left_out = _described(contents, on_error, said), 0
    described = {path for sample in samples for path in _files_of(sample)}
    tables = {table.folder for table in contents.metadata}
    for file in contents.pictures:
        if file.path in described:
            continue
        if tables and any(folder in tables for folder in _folders_of(file.name)):
            left_out += 1
            continue
        try:
            samples.append(_sample(file, contents, in_splits))
        except DataError as error:
            on_error(error)
    if left_out:
        names = ", ".join(str(table.path) for table in contents.metadata)
        log.warning("%d files are left out, which are not in %s", left_out, names)
    if contents.strays:
        line = "%d sounds and videos are left out, beside which there is no picture of their name; the first: %s"
        log.warning(line, len(contents.strays), contents.strays[0].path)
    if unused := contents.unused_texts:
        line = (
            "%d .txt files are left out, beside which there is no file of their name; the first: %s"
        )
        log.warning(line, len(unused), unused[0])
    divided = [_with_split(sample, root) for sample in samples] if in_splits else samples
    if contents.metadata:
        return TableRows(divided, samples.known_columns)
    items = dict.fromkeys(name for sample in samples for name in sample.items if name != "split")
    sought: dict[str, Path] = {kind: root for kind in COLUMN_KINDS if kind in items}
    rows = TableRows(divided, KnownColumns(tuple(items), sought=sought))
    return SaidRows(rows, said, root) if said.columns else rows


@dataclass
class _Contents:
    """The content of the folder.

    pictures: the first file of each sample: a picture, sound or video. beside: stem -> the sample's other files.
    strays: sounds and videos without a picture. texts: stem -> .txt file. captioned: folders with such files for
    pictures. groups: resolved path of a picture -> its name.
    """

    pictures: list[File] = field(default_factory=list)
    beside: dict[str, list[File]] = field(default_factory=dict)
    strays: list[File] = field(default_factory=list)
    texts: dict[str, Path] = field(default_factory=dict)
    captioned: set[str] = field(default_factory=set)
    metadata: list[File] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)

    @property
    def unused_texts(self) -> list[Path]:
        """The .txt files in folders with captions that are the captions of no picture, sound or video."""
        stems = {file.stem for file in self.pictures}
        return [
            path
            for stem, path in self.texts.items()
            if stem not in stems and stem.rpartition("/")[0] in self.captioned
        ]


def _contents(root: Path, on_error: OnError) -> _Contents:
    found = _Contents()
    recordings: list[File] = []
    for file in files_below(root, on_error):
        suffix = os.path.splitext(file.name)[1].lower()
        if is_picture(file.name):
            found.pictures.append(file)
            found.groups.setdefault(file.real, file.name)
        elif kind_of(file.name) in RECORDINGS:
            recordings.append(file)
        elif suffix == ".txt":
            found.texts[file.stem] = file.path
        elif suffix in (*CSV_SUFFIXES, *JSON_SUFFIXES, ".parquet"):
            if is_metadata(file.path):
                found.metadata.append(file)
            else:
                line = "%s is not read: name it metadata%s, or give its path"
                log.warning(line, file.path, file.path.suffix)
    _put_beside(found, recordings)
    found.captioned = {file.folder for file in found.pictures if file.stem in found.texts}
    return found


def _put_beside(found: _Contents, recordings: list[File]) -> None:
    """Adds sounds and videos to the samples with the same stem. If there are no pictures, they become samples of
    their own."""
    firsts = {file.stem: file for file in found.pictures}
    of_pictures = bool(firsts)
    for file in recordings:
        kind = kind_of(file.name)
        taken = [kind_of(other.name) for other in found.beside.get(file.stem, ())]
        if file.stem in firsts and kind not in (*taken, kind_of(firsts[file.stem].name)):
            found.beside.setdefault(file.stem, []).append(file)
        elif of_pictures:
            found.strays.append(file)
        else:
            firsts.setdefault(file.stem, file)
            found.pictures.append(file)
            found.groups.setdefault(file.real, file.name)


def _folders_of(name: str) -> Iterator[str]:
    """Yields the folders that contain a file of this name, the nearest first; the top is the empty name."""
    while name:
        name = name.rpartition("/")[0]
        yield name


def _are_splits(contents: _Contents, root: Path) -> bool:
    """Whether the top folders are splits, which all must be named so. Raises WeftError if only some are.

    One folder named like a split may be a class, such as a train on rails: it holds pictures directly and lies beside
    folders with other names.
    """
    parts = [file.name.split("/") for file in contents.pictures]
    tops = {names[0] for names in parts if len(names) > 1}
    splits = {name for name in tops if folder_split(name) is not None}
    if splits == tops:
        return bool(splits)
    has_folders = any(names[0] in splits and len(names) > 2 for names in parts)
    is_class = len(splits) == 1 and not has_folders
    if splits and not (is_class and not contents.captioned and not contents.metadata):
        raise WeftError(
            f"{root}: {_listed(splits)} named like a split, but {_listed(tops - splits)} not: expected top folders "
            "that are all splits or all classes; rename or move some, or give the path of one"
        )
    return False


def _listed(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"


def _described(contents: _Contents, on_error: OnError, said: Said) -> TableRows:
    """The samples of all metadata tables."""
    ids = UniqueIds()
    samples = TableRows()
    for table in contents.metadata:
        rows = table_rows(table.path, on_error, said.encoding)
        place, within = table.path.parent, table.folder
        found = table_samples(rows, place, on_error, said=said, ids=ids, within=within)
        samples = TableRows([*samples, *found], found.known_columns)
    return samples


def _sample(file: File, contents: _Contents, in_splits: bool) -> Sample:
    files = (file, *contents.beside.get(file.stem, ()))
    items: dict[str, Any] = {kind_of(each.name): Media.file(each.path) for each in files}
    if file.folder in contents.captioned:
        items["text"] = _captions(file, contents)
    elif folders := file.name.split("/")[in_splits:-1]:
        items["label"] = folders[0]
    return Sample(file.name, contents.groups[file.real], items, str(file.path))


def _with_split(sample: Sample, root: Path) -> Sample:
    """Returns the sample with the split of its top folder, unless it names one itself."""
    path = next(_files_of(sample), None)
    if "split" in sample.items or path is None or root not in path.parents:
        return sample
    split = folder_split(path.relative_to(root).parts[0])
    return sample if split is None else replace(sample, items={**sample.items, "split": split})


def _files_of(sample: Sample) -> Iterator[Path]:
    """Yields the files of its pictures, sounds and videos."""
    for value in sample.items.values():
        if isinstance(value, Media) and value.kind in COLUMN_KINDS and value.path is not None:
            yield value.path


def _captions(picture: File, contents: _Contents) -> Alternatives:
    file = contents.texts.get(picture.stem)
    if file is None:
        reason = f"has no captions: {picture.path.stem}.txt does not exist"
        raise DataError(reason, source=str(picture.path))
    captions = [line.strip() for line in read_text(file).splitlines() if line.strip()]
    if not captions:
        raise DataError("is empty, expected one caption a line", source=str(file))
    return Alternatives(captions)
