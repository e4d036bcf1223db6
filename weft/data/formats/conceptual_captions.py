"""Conceptual Captions (Sharma et al. 2018): lines of caption TAB address, with downloaded pictures.

A picture is named after its row: the thirteenth line's is images/12.jpg or images/000000012.jpg, possibly in a
numbered folder (images/00000/000000012.jpg). Or images.tsv beside the table lists them, with address TAB file in each
line. Lines without a downloaded picture, usually many, are left out; their number is printed on stderr.
"""

import re
import sys
from pathlib import Path

from weft.core.errors import DataError, WeftError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._files import lines, named
from weft.data.formats._rows import OnError, is_picture, known_split

NAME = "conceptual_captions"
DESCRIPTION = "Conceptual Captions: Train_GCC-training.tsv (caption TAB address), images/12.jpg"
MAPPING = "images.tsv"
_LINE = re.compile(rb"[^\t\r\n]+\thttps?://[^\t\r\n]+\r?\n?")


def detect(path: Path) -> bool:
    return bool(_tables(path))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a line that has its picture; the group is the address. Raises WeftError if there is none.

    Items: image, text, url, split (from the name of the table).
    """
    tables = _tables(path)
    samples = [sample for table in tables for sample in _read_table(table, on_error)]
    if not samples:
        where = ", ".join(str(_folder(table)) for table in tables)
        raise WeftError(f"{path}: none of its pictures was found in {where}")
    return samples


def _tables(path: Path) -> list[Path]:
    found = [path] if path.is_file() else named(path, "*.tsv")
    tables = (p for p in found if p.suffix.lower() == ".tsv" and p.name.lower() != MAPPING)
    return [table for table in tables if _is_table(table)]


def _is_table(path: Path) -> bool:
    with open_file(path) as file:
        return _LINE.fullmatch(file.readline(1 << 16)) is not None


def _folder(table: Path) -> Path:
    """Returns images/NAME of the table, if several tables share a folder, or images/."""
    own = table.parent / "images" / table.stem
    return own if own.is_dir() else table.parent / "images"


def _read_table(table: Path, on_error: OnError) -> list[Sample]:
    by_row, by_address = _by_row(_folder(table), on_error), _by_address(table, on_error)
    split = known_split(table.stem.lower().rpartition("-")[2])
    samples: list[Sample] = []
    missing = 0
    for source, text in lines(table, on_error):
        caption, _, address = text.partition("\t")
        if not caption.strip() or not address.strip():
            reason = f"is {text[:60]!r}, expected caption TAB address"
            on_error(DataError(reason, source=source))
            continue
        number = int(source.rpartition(":")[2]) - 1
        picture = by_address.get(address.strip(), by_row.get(number))
        if picture is None:
            missing += 1
            continue
        items = {
            "image": Media.file(picture, "image", folder=table.parent),
            "text": caption.strip(),
            "url": address.strip(),
        }
        if split is not None:
            items["split"] = split
        samples.append(Sample(f"{table.stem}-{number}", address.strip(), items, source))
    if missing:
        of = f"{missing} of {missing + len(samples)} rows"
        print(f"{table}: {of} have no picture and are left out", file=sys.stderr)
    return samples


def _by_row(folder: Path, on_error: OnError) -> dict[int, Path]:
    """Maps rows to the pictures whose names are their numbers, in `folder` or in numbered folders within it."""
    found: dict[int, Path] = {}
    if not folder.is_dir():
        return found
    for picture in sorted([*folder.iterdir(), *folder.glob("[0-9]*/*")]):
        stem = picture.stem
        if is_picture(picture.name) and stem.isascii() and stem.isdigit():
            first = found.setdefault(int(stem), picture)
            if first != picture:
                reason = f"is a second picture of row {int(stem)}, beside {first}"
                on_error(DataError(reason, source=str(picture)))
    return found


def _by_address(table: Path, on_error: OnError) -> dict[str, Path]:
    """Maps addresses to pictures, from images.tsv."""
    found: dict[str, Path] = {}
    rows = (row for mapping in named(table.parent, MAPPING) for row in lines(mapping, on_error))
    for source, text in rows:
        address, _, file = text.partition("\t")
        if not file.strip():
            reason = f"is {text[:60]!r}, expected address TAB file"
            on_error(DataError(reason, source=source))
        elif (table.parent / file.strip()).is_file():
            found[address.strip()] = table.parent / file.strip()
    return found
