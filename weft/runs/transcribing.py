"""Transcripts of recordings of any length: a long one is read in parts that end at pauses."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weft.core.errors import WeftError
from weft.core.interfaces import ReadsRecordings
from weft.core.kinds import Kind
from weft.core.media import Media
from weft.data.policy import ErrorPolicy
from weft.heads.transcripts import TranscriptValues
from weft.inference.predict import Predictions
from weft.modalities.pauses import parts_of, pauses
from weft.modalities.video_decoding import recording_seconds
from weft.tasks.recognised_words import sound_seconds

if TYPE_CHECKING:
    from weft.runs.trained import TrainedModel


@dataclass(frozen=True)
class Word:
    """A recognised word. start, end: seconds in its recording, None if unknown. weights: stream -> its weight."""

    text: str
    start: float | None
    end: float | None
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Transcript:
    """What is said in a file of `seconds`. words: empty if the head gives no alignment."""

    file: Path
    text: str
    seconds: float
    words: tuple[Word, ...]


def transcribe(
    run: "TrainedModel", head: str, files: Sequence[Path], longest: float = math.inf
) -> list[Transcript]:
    """Returns the transcripts of the files that can be read, in their order.

    longest: maximum seconds of a part. Parts are not longer than the window of any stream, so that simultaneous
    streams stay simultaneous. Files and parts that cannot be read are named and left out. Raises WeftError if nothing
    is left, or if the head reads anything but sounds and videos.
    """
    kinds = recording_streams(run, head)
    for stream in kinds:
        modality = run.modalities[stream]
        assert isinstance(modality, ReadsRecordings)
        longest = min(longest, modality.window)
    kind: Kind = "video" if "video" in kinds.values() else "audio"
    wholes = [Media.file(file, kind) for file in files]
    parts = [(n, part) for n, whole in enumerate(wholes) for part in _parts(whole, longest)]
    rows = {stream: [part.of_kind(k) for _, part in parts] for stream, k in kinds.items()}
    found = _predicted(run, head, rows)
    told: dict[int, list[tuple[str, tuple[Word, ...]]]] = {}
    for number, row in enumerate(found.rows):
        of_part = {stream: some[row] for stream, some in rows.items()}
        said = found.values.said(number), _words(run, found, number, of_part)
        told.setdefault(parts[row][0], []).append(said)
    return [
        Transcript(
            files[n],
            " ".join(text for text, _ in said if text),
            recording_seconds(wholes[n]),
            tuple(word for _, words in said for word in words),
        )
        for n, said in told.items()
    ]


def recording_streams(run: "TrainedModel", head: str) -> dict[str, Kind]:
    """Stream that the head reads -> its kind of recording. Raises WeftError for anything but sounds and videos."""
    found: dict[str, Kind] = {}
    for stream in run.model.streams_of(head):
        modality = run.modalities[stream]
        if not isinstance(modality, ReadsRecordings):
            raise WeftError(
                f"{run.folder}: stream '{stream}' reads neither sounds nor videos; use weft ask"
            )
        found[stream] = modality.media
    return found


def _parts(whole: Media, longest: float) -> list[Media]:
    """Returns the parts of a recording, cut at pauses, or evenly if it has no sound. One that cannot be read stays
    whole: the error is that of its row."""
    with suppress(WeftError):
        return parts_of(whole, pauses(whole, longest))
    with suppress(WeftError):
        seconds = recording_seconds(whole)
        if longest < seconds < math.inf:
            count = math.ceil(seconds / longest)
            return parts_of(whole, [n * seconds / count for n in range(1, count)])
    return [whole]


def _predicted(run: "TrainedModel", head: str, rows: Mapping[str, Sequence[Media]]) -> Predictions:
    member, samples = run.values(**rows)
    # The error of a single recording says it all: there are no others to go on with.
    errors = ErrorPolicy("raise" if len(samples) == 1 else "skip", limit=1.0)
    return run.predict_rows(member, samples, head, errors)


def _words(
    run: "TrainedModel", found: Predictions, number: int, of_part: Mapping[str, Media]
) -> tuple[Word, ...]:
    """Returns the words of a row, with their times in the whole recording."""
    values = found.values
    texts = values.said(number).split()
    if not isinstance(values, TranscriptValues) or len(values.spans[number]) != len(texts):
        return ()
    weights = values.weights[number] if values.weights else ({},) * len(texts)
    seconds = sound_seconds(run.modalities, of_part)
    first = next(iter(of_part.values())).start
    return tuple(
        Word(text, None, None, weight)
        if seconds is None
        else Word(text, first + begin * seconds, first + end * seconds, weight)
        for text, (begin, end), weight in zip(texts, values.spans[number], weights, strict=True)
    )
