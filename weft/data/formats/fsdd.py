"""Free Spoken Digit Dataset (Jackson et al.): recordings named DIGIT_SPEAKER_INDEX.wav, in a folder or a zip archive.

Of each digit and speaker the recordings 0 to 4 are the official test split, all others the training split.
"""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from weft.core.errors import DataError, WeftError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._files import named
from weft.data.formats._rows import OnError
from weft.data.formats._zip_members import ZipMember

NAME = "fsdd"
DESCRIPTION = "Free Spoken Digit Dataset: recordings/ or recordings.zip with 7_theo_36.wav"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CHINESE = "零一二三四五六七八九"
TEST_RECORDINGS = 5
_RECORDING = re.compile(r"(\d)_([^_/]+)_(\d+)\.(wav|flac)", re.IGNORECASE)


def detect(path: Path) -> bool:
    return path.is_dir() and any(map(_RECORDING.fullmatch, _names(path)))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a recording, which is its own group.

    Items: audio, digit, text (its English word), chinese (its character), speaker, index, split.
    """
    return list(_samples(path, on_error))


def _samples(path: Path, on_error: OnError) -> Iterator[Sample]:
    for name, media in sorted(_names(path).items()):
        source = str(media.place)
        found = _RECORDING.fullmatch(name)
        if found is None:
            reason = "is no recording of a digit, expected a name such as 7_theo_36.wav"
            on_error(DataError(reason, source=source))
            continue
        digit, speaker, index = found[1], found[2], int(found[3])
        items = {
            "audio": media,
            "digit": digit,
            "text": WORDS[int(digit)],
            "chinese": CHINESE[int(digit)],
            "speaker": speaker,
            "index": index,
            "split": "test" if index < TEST_RECORDINGS else "train",
        }
        yield Sample(name, name, items, source)


def _names(path: Path) -> dict[str, Media]:
    """Name -> the recording, of the folder recordings/ and of recordings.zip."""
    found: dict[str, Media] = {}
    folder = path / "recordings"
    if folder.is_dir():
        for file in folder.iterdir():
            if not file.name.startswith("."):
                found[file.name] = Media.file(file, "audio", folder=folder)
    for archive in named(path, "recordings.zip"):
        for member in _members(archive):
            suffix = Path(member).suffix[1:].lower()
            found[Path(member).name] = Media("audio", ZipMember(archive, member), suffix)
    return found


def _members(archive: Path) -> list[str]:
    try:
        with open_file(archive) as file, zipfile.ZipFile(file) as opened:
            return [name for name in opened.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise WeftError(f"{archive}: cannot be read as a zip archive: {error}") from None
