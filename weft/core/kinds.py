"""Kinds of large values, and the files that hold them. A new kind is an entry of `Kind` and of each table here."""

import os
from typing import Literal

Kind = Literal["image", "audio", "video", "array", "file"]
"""file: of a kind that its name does not tell."""

# fmt: off
SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "image": (
        "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff",
        "heic", "heif", "avif", "jp2", "ppm", "pgm", "dcm", "dicom",
    ),
    "audio": ("wav", "flac", "mp3", "ogg", "opus", "m4a", "aac", "aiff", "aif"),
    "video": ("mp4", "mkv", "webm", "avi", "mov", "m4v", "mpg", "mpeg"),
    "array": ("npy",),
}
# fmt: on
NOUNS: dict[Kind, str] = {
    "image": "picture",
    "audio": "sound",
    "video": "video",
    "array": "array",
    "file": "file",
}
"""What a person calls one of a kind."""
COLUMN_KINDS: tuple[Kind, ...] = tuple(kind for kind in SUFFIXES if kind != "array")
"""Kinds that a column may be named after: `audio`, `audio_path`, the member `.wav` of a shard. That something
is an array does not say what it holds, so a column of arrays has another name."""
_KINDS = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}


def kind_of(name: str) -> Kind:
    """The kind of a file, by what follows the last dot of its name; `file` where that says nothing."""
    return _KINDS.get(suffix_of(name), "file")


def suffix_of(name: str) -> str:
    """What follows the last dot of a file's name, in small letters; "" where there is none."""
    return os.path.splitext(name)[1][1:].lower()
