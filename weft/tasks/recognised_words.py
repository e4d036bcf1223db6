"""The recognised words: when each was spoken, and the weight of each stream at that time."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.media import Media
from weft.core.timed import timed_words
from weft.evaluation.metric import Metric, Score
from weft.evaluation.word_errors import normalise, same_words
from weft.heads.transcripts import TranscriptValues
from weft.inference.diagnostics import StreamWeight
from weft.inference.results import RecognisedWord
from weft.modalities.audio import Audio
from weft.modalities.audio_decoding import sound_facts
from weft.tasks._of_target import Found
from weft.tasks.base import SlicedConfig

TIME_ERROR = Metric(
    "word_time_error", "ms", "lower", digits=0, said="error of the middle of recognised words"
)
IN_TIME = Metric(
    "words_within_100ms", said="recognised words whose middle is at most 100 ms from the true one"
)
IN_TIME_SECONDS = 0.1


@dataclass(frozen=True)
class WordTimes:
    """Seconds between the true middle of recognised words and the recognised one, and the row of each word."""

    errors_W: NDArray[np.float64]  # noqa: N815
    rows_W: NDArray[np.int64]  # noqa: N815

    @property
    def protocol(self) -> dict[str, int]:
        return {"words with times": len(self.rows_W)} if len(self.rows_W) else {}

    def scores(self, config: SlicedConfig, groups_N: Tensor) -> list[Score]:
        if not len(self.rows_W):
            return []
        groups_W = groups_N.numpy()[self.rows_W]
        bootstrap = config.bootstrap(groups_N)
        found = bootstrap.means(
            np.stack([1000 * self.errors_W, self.errors_W <= IN_TIME_SECONDS], axis=1), groups_W
        )
        return [
            m.score(one.estimate()) for m, one in zip((TIME_ERROR, IN_TIME), found, strict=True)
        ]


def word_times(asked: Found, column: str, right: Sequence[str], said: Sequence[str]) -> WordTimes:
    """For the rows that have times; for no row if the head reads no whole sound, or gives no times of words."""
    found, errors, rows = asked.predictions, [], []
    spans = found.values.spans if isinstance(found.values, TranscriptValues) else ()
    modalities = asked.members[0].modalities
    for number, row in enumerate(found.rows if spans else ()):
        items = asked.dataset[row].items
        seconds = sound_seconds(modalities, {stream: items.get(stream) for stream in found.streams})
        if seconds is None or len(spans[number]) != len(said[number].split()):
            continue
        for heard, middle in _true_middles(items.get(column), right[number], said[number]).items():
            begin, end = spans[number][heard]
            errors.append(abs((begin + end) / 2 * seconds - middle))
            rows.append(number)
    return WordTimes(np.array(errors), np.array(rows, dtype=np.int64))


def _timed_words(raw: Any) -> list[tuple[str, float]]:
    """Each word, normalised, and its middle in seconds; empty if the value holds no times."""
    with suppress(WeftError):
        return [(normalise(one.word), (one.start + one.end) / 2) for one in timed_words(raw)]
    return []


def sound_seconds(
    modalities: Mapping[str, Modality], recordings: Mapping[str, Any]
) -> float | None:
    """The length of the first sound that is read from start to end, so that a share of the positions is the same
    share of the time; None if there is none. recordings: stream -> the recording it is read from.
    """
    for stream, recording in recordings.items():
        modality = modalities[stream]
        whole = (
            isinstance(modality, Audio)
            and modality.config.seconds is None
            and modality.config.trim is None
        )
        if whole and isinstance(recording, Media) and recording.kind == "audio":
            with suppress(WeftError):
                return sound_facts(recording).seconds
    return None


def recognised_words(
    asked: Found, column: str, number: int, right: str, said: str
) -> tuple[RecognisedWord, ...]:
    """The words of `said`, the transcript of row `number` of the predictions; `right` is the true one.

    Empty if the model gives neither weights of streams nor times, or if the alignment has other words.
    """
    found, texts = asked.predictions, said.split()
    values = found.values
    if not isinstance(values, TranscriptValues) or len(values.spans[number]) != len(texts):
        return ()
    items = asked.dataset[found.rows[number]].items
    recordings = {stream: items.get(stream) for stream in found.streams}
    seconds = sound_seconds(asked.members[0].modalities, recordings)
    weights = values.weights[number] if values.weights else ({},) * len(texts)
    if seconds is None:
        words = zip(texts, weights, strict=True) if values.weights else ()
        return tuple(RecognisedWord(text, weight) for text, weight in words)
    spans = [(begin * seconds, end * seconds) for begin, end in values.spans[number]]
    true = _true_middles(items.get(column), right, said)
    return tuple(
        RecognisedWord(text, weight, span, None if n not in true else sum(span) / 2 - true[n])
        for n, (text, weight, span) in enumerate(zip(texts, weights, spans, strict=True))
    )


def _true_middles(raw: Any, right: str, said: str) -> dict[int, float]:
    """Index of a word of `said` that is right -> the true middle in seconds; empty without reference times."""
    words = _timed_words(raw)
    if " ".join(word for word, _ in words) != right:
        return {}
    return {heard: words[true][1] for true, heard in same_words(right, said)}


def stream_weights(asked: Found, groups_N: Tensor) -> tuple[StreamWeight, ...]:
    """Stream -> its mean weight over all recognised words; empty if the model weighs none."""
    values = asked.predictions.values
    of_rows = values.weights if isinstance(values, TranscriptValues) else ()
    found = [(row, one) for row, of_row in enumerate(of_rows) for one in of_row]
    if not found:
        return ()
    streams = tuple(found[0][1])
    weights_WS = np.array([[one[stream] for stream in streams] for _, one in found])
    groups_W = groups_N.numpy()[[row for row, _ in found]]
    means = asked.config.bootstrap(groups_N).means(weights_WS, groups_W)
    return tuple(
        StreamWeight(stream, mean.estimate().percent())
        for stream, mean in zip(streams, means, strict=True)
    )
