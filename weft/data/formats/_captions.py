"""Shared by the published caption sets: finds their pictures and makes one sample a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._rows import picture_folder, split_name

PICTURE_FOLDERS = (
    *("images", "Flicker8k_Dataset", "Flickr8k_Dataset", "Images"),  # Flicker: the data's spelling
    *("flickr30k-images", "flickr30k_images", "Flickr30k_images", "."),
)


def pictures_of(folder: Path, names: Sequence[str]) -> Path:
    """Returns the folder of the pictures `names`: beside the folder of the captions or one level above it."""
    places = [base / name for base in (folder, folder.parent) for name in PICTURE_FOLDERS]
    return picture_folder(places, names)


def caption_sample(
    name: str, picture: Media, captions: list[str], split: str | None, source: str, **others: Any
) -> Sample:
    """Makes the sample of one picture. name: its path below the data folder, which becomes its id and group.

    Raises DataError if there are no captions.
    """
    if not captions:
        raise DataError(f"{name} has no captions", source=source)
    items = {"image": picture, "text": Alternatives(captions), **others}
    if split is not None:
        items["split"] = split_name(split)
    return Sample(name, name, items, source)


def name_in(folder: Path, own: str, name: str) -> str:
    """Returns the name of a picture in an annotation file, with its folder if that is the file's `own`.

    Two such files may name different pictures alike: train2017/1.jpg and val2017/1.jpg.
    """
    return f"{folder.name}/{name}" if folder.name.lower() == own.lower() else name


def key(row: Any, name: str, source: str) -> int | str:
    """Returns `row[name]`, a number or a string. Raises DataError if it is absent or anything else."""
    value = column(row, name, object, source)
    if not isinstance(value, int | str):
        raise DataError(f"'{name}' holds {value!r:.60}, expected a number or a name", source=source)
    return value


def column(row: Any, name: str, kind: type, source: str) -> Any:
    """Returns `row[name]`. Raises DataError if it is absent or not a `kind`."""
    if not isinstance(row, dict) or name not in row:
        found = ", ".join(row) if isinstance(row, dict) else repr(row)[:60]
        raise DataError(f"has no '{name}', it has: {found}", source=source)
    if not isinstance(row[name], kind):
        raise DataError(
            f"'{name}' holds {row[name]!r:.60}, expected a {kind.__name__}", source=source
        )
    return row[name]
