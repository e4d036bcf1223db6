"""Transcripts of recordings of any length: a long one is read in parts that end at pauses."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.core.errors import WeftError
from weft.core.interfaces import ReadsRecordings
from weft.core.kinds import Kind
from weft.core.media import RECORDINGS, Media
from weft.core.ranges import SLACK
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

    longest: maximum seconds of a part, see `divided`. Files and parts that cannot be read are named and left out. Raises
    WeftError if nothing is left, or if the head reads anything but sounds and videos.
    """
    kinds = recording_streams(run, head)
    kind: Kind = "video" if "video" in kinds.values() else "audio"
    wholes = [Media.file(file, kind) for file in files]
    rows = [{stream: whole.of_kind(k) for stream, k in kinds.items()} for whole in wholes]
    parts = divided(run, rows, longest)
    found = _predicted(run, head, {s: [part[s] for _, part in parts] for s in kinds})
    told: dict[int, list[tuple[str, tuple[Word, ...]]]] = {}
    for number, row in enumerate(found.rows):
        n, part = parts[row]
        said = found.values.said(number), _words(run, found, number, part)
        told.setdefault(n, []).append(said)
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


def divided(
    run: "TrainedModel", rows: Sequence[Mapping[str, Any]], longest: float
) -> list[tuple[int, Mapping[str, Any]]]:
    """Returns the parts of rows that are simultaneous recordings: (number of the row, values of the part).

    rows: stream -> a recording, None if the row lacks it. longest: maximum seconds of a part. Parts are not longer than
    the window of any stream, so that simultaneous streams stay simultaneous; SLACK more is allowed. A row with other
    values, such as a list of frames, stays whole.
    """
    for stream in {stream for row in rows for stream in row}:
        modality = run.modalities[stream]
        longest = min(
            longest, modality.window if isinstance(modality, ReadsRecordings) else longest
        )
    return [(n, part) for n, row in enumerate(rows) for part in _parts(row, longest)]


def _parts(row: Mapping[str, Any], longest: float) -> list[Mapping[str, Any]]:
    recordings = {stream: raw for stream, raw in row.items() if raw is not None}
    if not all(isinstance(raw, Media) and raw.kind in RECORDINGS for raw in recordings.values()):
        return [row]
    cuts = _cuts([*recordings.values()], longest)
    parts = {stream: parts_of(raw, cuts) for stream, raw in recordings.items()}
    return [{**row, **{s: some[n] for s, some in parts.items()}} for n in range(len(cuts) + 1)]


def _cuts(recordings: Sequence[Media], longest: float) -> list[float]:
    """Returns the seconds at which to cut: in pauses of the first recording with sound, or evenly. None if none can be
    read: the error is that of the row."""
    for recording in recordings:
        with suppress(WeftError):
            return pauses(recording, longest)
    for recording in recordings:
        with suppress(WeftError):
            seconds = recording_seconds(recording)
            count = math.ceil(seconds / longest) if longest + SLACK < seconds < math.inf else 1
            return [n * seconds / count for n in range(1, count)]
    return []


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
