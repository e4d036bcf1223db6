"""Flickr8k and Flickr30k as their authors distribute them: a token file and lists of pictures."""

from pathlib import Path

from weft.core.errors import DataError, WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import caption_sample, pictures_of
from weft.data.formats._files import lines, named
from weft.data.formats._rows import OnError, is_picture

NAME = "flickr"
DESCRIPTION = "Flickr8k.token.txt or results_20130124.token, with the split files beside it"
TOKEN_FILES = ("Flickr8k.token.txt", "results_20130124.token")
SPLIT_FILES = {
    "train": ("Flickr_8k.trainImages.txt", "train.txt"),
    "validation": ("Flickr_8k.devImages.txt", "val.txt"),
    "test": ("Flickr_8k.testImages.txt", "test.txt"),
}
"""Lists of pictures of each split in Flickr8k, and in Flickr30k Entities, whose lists leave out the .jpg."""


def detect(path: Path) -> bool:
    return _token_file(path) is not None


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a picture with all its captions. A picture in none of the lists gets the split `extra`."""
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
    return [
        caption_sample(
            name,
            Media.file(folder / name, "image", folder=folder),
            texts,
            splits.get(_stem(name), "extra") if splits else None,
            sources[name],
        )
        for name, texts in captions.items()
    ]


def _splits(folder: Path, on_error: OnError) -> dict[str, str]:
    """The split of each picture's stem; empty where there are no lists."""
    found: dict[str, str] = {}
    for split, names in SPLIT_FILES.items():
        file = next(iter(named(folder, *names)), None)
        for source, line in lines(file, on_error) if file else ():
            stem = _stem(line.strip())
            if found.setdefault(stem, split) != split:
                reason = f"{stem} is also in the list of the split '{found[stem]}'"
                on_error(DataError(reason, source=source))
    return found


def _token_file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.name.lower() in map(str.lower, TOKEN_FILES) else None
    found = [*named(path, *TOKEN_FILES), *named(path / "Flickr8k_text", *TOKEN_FILES)]
    return next(iter(found), None)


def _stem(name: str) -> str:
    """Returns the name without a picture's suffix. Any other dot belongs to the name."""
    return Path(name).stem if is_picture(name) else name
