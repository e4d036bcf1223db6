"""Flickr8k and Flickr30k as their authors distribute them: a token file and lists of pictures."""

from pathlib import Path

from weft.core.errors import DataError, WeftError
from weft.core.records import Sample
from weft.data.formats._captions import caption_sample, pictures_of
from weft.data.formats._files import lines
from weft.data.formats._rows import OnError, select

NAME = "flickr"
DESCRIPTION = "Flickr8k.token.txt or results_20130124.token, with the split files beside it"
TOKEN_FILES = ("Flickr8k.token.txt", "results_20130124.token")
SPLIT_FILES = {
    "train": ("Flickr_8k.trainImages.txt", "train.txt"),
    "validation": ("Flickr_8k.devImages.txt", "val.txt"),
    "test": ("Flickr_8k.testImages.txt", "test.txt"),
}
"""Of Flickr8k, and of Flickr30k Entities, whose lists leave out the .jpg."""


def detect(path: Path) -> bool:
    return _token_file(path) is not None


def read(path: Path, split: str | None, on_error: OnError) -> list[Sample]:
    """One sample a picture with all its captions; a picture in no list is in the split `extra`."""
    file = _token_file(path)
    if file is None:
        raise WeftError(f"{path}: holds no token file, expected one of {', '.join(TOKEN_FILES)}")
    captions: dict[str, list[str]] = {}
    sources: dict[str, str] = {}
    for source, line in lines(file, on_error):
        name, tab, caption = line.partition("\t")
        picture, hash_sign, _ = name.rpartition("#")
        if not (tab and hash_sign and picture):
            reason = f"is {line[:60]!r}, expected picture.jpg#number, a tab and a caption"
            on_error(DataError(reason, source=source))
            continue
        captions.setdefault(picture, []).append(caption.strip())
        sources.setdefault(picture, source)
    splits = _splits(file.parent, on_error)
    folder = pictures_of(file.parent, list(captions))
    samples = [
        caption_sample(
            folder / name,
            texts,
            splits.get(Path(name).stem, "extra") if splits else None,
            sources[name],
        )
        for name, texts in captions.items()
    ]
    return select(samples, split, path)


def _splits(folder: Path, on_error: OnError) -> dict[str, str]:
    """The split of each picture's stem; empty where there are no lists."""
    found: dict[str, str] = {}
    for split, names in SPLIT_FILES.items():
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        for source, line in lines(file, on_error) if file else ():
            stem = Path(line.strip()).stem
            if found.setdefault(stem, split) != split:
                reason = f"{stem} is also in the list of the split '{found[stem]}'"
                on_error(DataError(reason, source=source))
    return found


def _token_file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.name in TOKEN_FILES else None
    places = (folder / name for folder in (path, path / "Flickr8k_text") for name in TOKEN_FILES)
    return next((place for place in places if place.is_file()), None)
