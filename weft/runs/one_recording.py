"""Converts one recording to a row of a run, with the streams that it has and lacks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from weft.core.errors import WeftError
from weft.core.files import read_file
from weft.core.interfaces import Modality, ReadsMedia
from weft.core.kinds import NOUNS, Kind, kind_of
from weft.core.language import say
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.context import AFTER, BEFORE
from weft.data.prepare.recordings import SILENT, sound_recording
from weft.modalities.text import Text
from weft.modalities.vectors import Vectors
from weft.runs.run import Run

WORDS = ".txt"
"""Suffix of the file beside a recording that holds its words."""
HOLDS: dict[Kind, tuple[Kind, ...]] = {
    "video": ("video", "audio"),
    "audio": ("audio",),
    "image": ("image",),
}
"""Kinds as which a file can be read: a video has a sound track."""


def is_recording(path: Path) -> bool:
    """Whether this is a file with a sound, a video or a picture, not a table or folder."""
    return path.is_file() and kind_of(path.name) in HOLDS


@dataclass
class Recording:
    """row: with the available streams. there, missing: stream -> how it is read, or why it is missing."""

    row: Sample
    there: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """Lists the available and missing streams in one line."""
        there, missing = _listed(self.there.items()), _listed(self.missing.items())
        source = self.row.source
        if not missing:
            return say(f"{source}: found {there}; nothing is missing")
        return say(f"{source}: found {there}; missing {missing}")


def one_recording(run: Run, path: Path, head: str | None = None) -> Recording:
    """Reads a video, a sound or a picture as the streams of the head (by default the first).

    A video gives its frames and its sound track. Words come from a file of the same name with the suffix .txt. An
    unreadable stream, such as an absent or silent sound track, is missing, with the reason. Raises WeftError if no
    stream is left, or the file does not exist.
    """
    if not path.is_file():
        raise WeftError(f"{path}: no such file")
    items: dict[str, Media | str] = {}
    found = Recording(Sample(path.stem, path.stem, items, str(path)))
    around = _around(run)
    for stream in run.model.streams_of(run.head(head)):
        if stream in around:
            continue
        try:
            value = _value(run.modalities[stream], path)
        except WeftError as error:
            found.missing[stream] = str(error)
            continue
        found.there[stream] = NOUNS[value.kind] if isinstance(value, Media) else "words"
        items[stream] = value
    if not found.there:
        raise WeftError(
            f"{path}: nothing that this run reads was found: {_listed(found.missing.items())}"
        )
    return found


def _around(run: Run) -> set[str]:
    """Returns streams that come from the rows before and after, which one recording lacks."""
    files = run.recipe.data.source.files
    context = None if files is None else files.context
    columns = () if context is None else context.columns
    return {form.format(name) for name in columns for form in (BEFORE, AFTER)}


def _value(modality: Modality, path: Path) -> Media | str:
    """Returns the modality's value of the recording. Raises WeftError with the reason if there is none."""
    if isinstance(modality, Text):
        return _words(modality, path.with_suffix(WORDS))
    if isinstance(modality, Vectors):
        raise WeftError("vectors that were computed elsewhere cannot be computed from a recording")
    kind = modality.media if isinstance(modality, ReadsMedia) else "file"
    held = kind_of(path.name)
    if kind not in HOLDS[held]:
        raise WeftError(f"a {NOUNS[held]} cannot contain it")
    media = Media.file(path, held, folder=path.parent).of_kind(kind)
    if kind == "audio" and sound_recording(media)[0].silent:
        raise WeftError(f"silent, no sample is above {SILENT:g} dB of full scale")
    modality.decode(media)
    return media


def _words(modality: Text, file: Path) -> str:
    """Returns the words in that file. Raises WeftError with the reason if there are none."""
    if not file.is_file():
        raise WeftError(f"no words, expected them in {file.name}")
    try:
        text = " ".join(read_file(file).decode("utf-8-sig").split())
    except UnicodeDecodeError:
        raise WeftError(f"no words, {file.name} is not UTF-8") from None
    if not text:
        raise WeftError(f"no words, {file.name} is empty")
    modality.decode(text)
    return text


def _listed(entries: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{stream} ({said})" for stream, said in entries)
