"""What the published caption sets share: where their pictures lie, and one sample a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
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
    picture: Path, captions: list[str], split: str | None, source: str, **others: Any
) -> Sample:
    """The sample of one picture, known by its file name. Raises DataError without captions."""
    if not captions:
        raise DataError(f"{picture.name} has no captions", source=source)
    items = {"image": picture, "text": captions, **others}
    if split is not None:
        items["split"] = split_name(split)
    return Sample(picture.name, picture.name, items, source)


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
