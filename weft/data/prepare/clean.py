"""Decides which rows and captions are good enough to keep."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.core.config import Settings
from weft.core.errors import DataError
from weft.core.files import read_file
from weft.core.ranges import COUNT, LARGEST, NOT_NEGATIVE, POSITIVE, Range, at_least, require
from weft.data.prepare.captions import normalised, words
from weft.data.prepare.recordings import RecordingFacts
from weft.data.prepare.scan import RowFacts


@dataclass(frozen=True)
class CleanConfig(Settings):
    """Limits for usable pictures, recordings and captions; others are left out. Unreadable rows are always left out."""

    min_side: int = 1
    """Minimum length of a picture's shorter side, in pixels."""
    max_aspect: float | None = None
    """Maximum ratio of a picture's longer side to its shorter side. None sets no limit."""
    min_seconds: float = 0.0
    """Minimum length of a sound or video, in seconds."""
    max_seconds: float | None = None
    """Maximum length of a sound or video, in seconds. None sets no limit."""
    drop_silent: bool = False
    """If true, sounds and sound tracks without a sample above -60 dB of full scale are left out."""
    drop_clipped: bool = False
    """If true, sounds and sound tracks with more than 0.1 % of their samples at full scale are left out."""
    min_caption_words: int = 1
    """Minimum number of words in a caption (in Chinese: characters). Shorter captions are left out."""
    max_caption_chars: int | None = None
    """Maximum number of characters in a caption. Longer captions are left out. None sets no limit."""
    normalise_captions: bool = True
    """If true, normalise captions to Unicode NFC on one line, without control or invisible characters."""

    without: Path | None = None
    """File mismatches.csv of `weft data check --mismatches RUN`. The captions in it are left out. Rows in it that have
    no captions are left out, too."""

    def __post_init__(self) -> None:
        require(self, min_side=COUNT, min_caption_words=at_least(0), max_caption_chars=COUNT)
        require(self, max_aspect=Range(1.0, LARGEST, "a finite ratio of at least 1"))
        require(self, min_seconds=NOT_NEGATIVE, max_seconds=POSITIVE)
        if self.max_seconds is not None and self.min_seconds > self.max_seconds:
            raise ValueError(
                f"min_seconds is {self.min_seconds:g}, expected at most max_seconds, {self.max_seconds:g}"
            )


Captions = Mapping[str, Sequence[str]]
"""Column -> captions of a row."""


MARKED = ("id", "text", "alarm")
"""Columns that are read from a file of mismatches."""


def mismatched(file: Path | None) -> dict[str, set[str]]:
    """Reads a file of `weft data check --mismatches`: id of a row -> its captions that do not belong to it. An empty
    caption stands for the whole row. Raises DataError for any other file."""
    found: dict[str, set[str]] = {}
    if file is None:
        return found
    # Lines must be split as CSV does: a caption may contain any kind of line break.
    rows = csv.reader(io.StringIO(read_file(file).decode("utf-8-sig"), newline=""))
    header = next(rows, [])
    if lacking := [name for name in MARKED if name not in header]:
        raise DataError(
            f"has no column {', '.join(lacking)}, expected the mismatches.csv of "
            "`weft data check --mismatches RUN`",
            source=str(file),
        )
    places = [header.index(name) for name in MARKED]
    for row in rows:
        if len(row) != len(header):
            raise DataError(
                f"has {len(row)} cells, expected {len(header)}", source=f"{file}:{rows.line_num}"
            )
        name, text, alarm = (row[place] for place in places)
        if alarm == "yes":
            found.setdefault(name, set()).add(text)
    return found


def clean_captions(
    captions: Captions, config: CleanConfig, wrong: Collection[str] = ()
) -> tuple[Captions, list[str]]:
    """Returns (captions to keep, reasons why the others are left out). A column that loses all its captions stays,
    empty. wrong: captions that do not belong to the row."""
    kept: dict[str, list[str]] = {}
    reasons: list[str] = []
    for column, texts in captions.items():
        right = [text for text in texts if text not in wrong]
        reasons += ["mismatched caption"] * (len(texts) - len(right))
        kept[column], others = _clean(right, config)
        reasons += others
    return kept, reasons


def _clean(captions: Sequence[str], config: CleanConfig) -> tuple[list[str], list[str]]:
    kept: list[str] = []
    reasons: list[str] = []
    for original in captions:
        caption = normalised(original) if config.normalise_captions else original
        if len(words(caption)) < config.min_caption_words:
            reasons.append("empty caption" if not words(caption) else "short caption")
        elif config.max_caption_chars is not None and len(caption) > config.max_caption_chars:
            reasons.append("long caption")
        else:
            kept.append(caption)
    return kept, reasons


def unusable(facts: RowFacts, captions: Captions, config: CleanConfig) -> tuple[str, str] | None:
    """Returns (reason, details) if the row must be left out. captions: those that are kept."""
    if facts.error is not None:
        return "unreadable", facts.error
    if facts.captions and not any(captions.values()):
        return "no caption", f"none of {len(facts.all_captions)} captions can be used"
    for column, media in facts.media.items():
        if media.recording is not None and (found := _bad_recording(media.recording, config)):
            return found[0], f"its {column} {found[1]}"
        if media.size is None:
            continue
        width, height = media.size
        said = f"its {column} has {width} x {height} pixels"
        if min(width, height) < config.min_side:
            return "small picture", said
        aspect = max(width, height) / min(width, height)
        if config.max_aspect is not None and aspect > config.max_aspect:
            return "narrow picture", said
    return None


def _bad_recording(facts: RecordingFacts, config: CleanConfig) -> tuple[str, str] | None:
    """Returns (reason, details) if a sound or video must be left out."""
    said = f"has {facts.seconds:.2f} s"
    if facts.seconds < config.min_seconds:
        return "short recording", said
    if config.max_seconds is not None and facts.seconds > config.max_seconds:
        return "long recording", said
    if config.drop_silent and facts.silent:
        return "silent", f"is silent, its peak is {facts.peak:g} dB"
    if config.drop_clipped and facts.is_clipped:
        return "clipped", f"has {100 * facts.clipped:.1f} % of its samples at full scale"
    return None
