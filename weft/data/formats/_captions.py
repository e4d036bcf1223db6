"""What the published caption sets share: where their pictures lie, and one sample a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._rows import picture_folder, split_name

PICTURE_FOLDERS = (
    *("images", "Flicker8k_Dataset", "Flickr8k_Dataset", "Images"),  # the first e is not our slip
    *("flickr30k-images", "flickr30k_images", "Flickr30k_images", "."),
)


def pictures_of(folder: Path, names: Sequence[str]) -> Path:
    """The folder of the pictures `names` in, beside or one above the folder of the captions."""
    places = [base / name for base in (folder, folder.parent) for name in PICTURE_FOLDERS]
    return picture_folder(places, names)


def caption_sample(
    name: str, picture: Media, captions: list[str], split: str | None, source: str, **others: Any
) -> Sample:
    """The sample of one picture. name: its path below the folder of the data, which is its id and group.

    Raises DataError without captions.
    """
    if not captions:
        raise DataError(f"{name} has no captions", source=source)
    items = {"image": picture, "text": Alternatives(captions), **others}
    if split is not None:
        items["split"] = split_name(split)
    return Sample(name, name, items, source)


def name_in(folder: Path, own: str, name: str) -> str:
    """The name of a picture of an annotation file: with the folder where that is the file's `own`.

    The pictures of two such files may have the same names: train2017/1.jpg and val2017/1.jpg.
    """
    return f"{folder.name}/{name}" if folder.name.lower() == own.lower() else name


def key(row: Any, name: str, source: str) -> int | str:
    """`row[name]`, a number or a name. Raises DataError where it is absent or anything else."""
    value = column(row, name, object, source)
    if not isinstance(value, int | str):
        raise DataError(f"'{name}' holds {value!r:.60}, expected a number or a name", source=source)
    return value


def column(row: Any, name: str, kind: type, source: str) -> Any:
    """`row[name]`. Raises DataError where it is absent or not a `kind`."""
    if not isinstance(row, dict) or name not in row:
        found = ", ".join(row) if isinstance(row, dict) else repr(row)[:60]
        raise DataError(f"has no '{name}', it has: {found}", source=source)
    if not isinstance(row[name], kind):
        raise DataError(
            f"'{name}' holds {row[name]!r:.60}, expected a {kind.__name__}", source=source
        )
    return row[name]
