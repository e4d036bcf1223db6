"""Kinds of large values, and the files that hold them. To add a kind, add an entry to `Kind` and to each table
here.
"""

import os
from typing import Literal

Kind = Literal["image", "audio", "video", "array", "file"]
"""`file` is a file whose name does not tell its kind."""

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
"""The noun for one value of a kind, in messages."""
COLUMN_KINDS: tuple[Kind, ...] = tuple(kind for kind in SUFFIXES if kind != "array")
"""Kinds that the name of a column can state: `audio`, `audio_path`, the member `.wav` of a shard. `array` is not
one of them: it does not tell what the array holds.
"""
_KINDS = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}


def kind_of(name: str) -> Kind:
    """The kind of a file, from the suffix of its name; `file` if the suffix is unknown."""
    return _KINDS.get(suffix_of(name), "file")


def suffix_of(name: str) -> str:
    """The suffix of a file's name in lower case, without the dot; "" if there is none."""
    return os.path.splitext(name)[1][1:].lower()
