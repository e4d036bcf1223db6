"""Speech recognition: the words that a model hears, against those that were said."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.missing import is_missing
from weft.core.needs import Needs
from weft.core.samples import group_key
from weft.core.timed import timed_words
from weft.data.targets.transcript import Transcript
from weft.evaluation.metric import Metric, Score, by_name
from weft.evaluation.word_errors import (
    NORMALISER,
    WordErrors,
    character_errors,
    normalise,
    same_words,
    word_errors,
)
from weft.heads.transcripts import TranscriptOutput, TranscriptValues
from weft.inference.diagnostics import Diagnostics
from weft.inference.member import Entry
from weft.inference.results import Prediction, TaskResult, Values
from weft.modalities.audio import Audio
from weft.modalities.audio_decoding import sound_facts
from weft.tasks._of_target import Found, OfTarget
from weft.tasks.base import WORST, SlicedConfig

WER = Metric("WER", better="lower", headline=True, said="word error rate")
CER = Metric("CER", better="lower", said="character error rate")
SUBSTITUTIONS = Metric("substitutions", better="lower")
DELETIONS = Metric("deletions", better="lower")
INSERTIONS = Metric("insertions", better="lower")
TIME_ERROR = Metric(
    "word_time_error", "ms", "lower", digits=0, said="error of the middle of recognised words"
)
IN_TIME = Metric(
    "words_within_100ms", said="recognised words whose middle is at most 100 ms from the true one"
)
EXACT = Metric("exact_match", said="transcripts without an error")
IN_TIME_SECONDS = 0.1
METRICS = (WER, CER, SUBSTITUTIONS, DELETIONS, INSERTIONS, EXACT, TIME_ERROR, IN_TIME)


@dataclass(frozen=True)
class TranscriptionTaskConfig(SlicedConfig):
    """Transcripts of speech: word and character error rate.

    WER and CER over the whole corpus: substitutions, deletions and insertions by the words (characters) of
    the references. Baselines: nothing, and the commonest transcript of the training rows. Where rows have the times of
    their words, the middle of each word that is recognised, by the alignment of CTC, is compared with the true one.
    """

    head: str = "transcript"
    """Head that writes the transcripts."""
    speaker: str = "speaker"
    """Column by whose values intervals are made, where rows have two or more of them; else by group."""

    times: str = "words"
    """Column with the words of a row and their times in seconds: {"word", "start", "end"} each."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TranscriptOutput})

    def build(self) -> OfTarget:
        return OfTarget("transcription", METRICS, self, self.head, _measure)


def _measure(asked: Found) -> TaskResult:
    found, config = asked.predictions, asked.config
    target = asked.target
    if not isinstance(target, Transcript) or not isinstance(config, TranscriptionTaskConfig):
        raise WeftError(f"head '{found.head}' writes no transcripts, expected one that does")
    right = [normalise(target.text(asked.dataset[row].items[target.column])) for row in found.rows]
    said = [normalise(text) for text in found.said]
    groups_N, over = _groups(asked, config.speaker)
    words, characters = word_errors(right, said), character_errors(right, said)
    exact_N = torch.tensor([one == other for one, other in zip(right, said, strict=True)]).double()
    baselines = {"nothing": _of([""] * len(right), right)}
    commonest = _commonest(asked, target)
    if commonest is not None:
        baselines["one transcript"] = _of([commonest] * len(right), right)
    timed = _word_times(asked, config.times, right, said)
    scores = [
        *_rates(asked, words, groups_N),
        *_rates(asked, characters, groups_N, (CER,)),
        EXACT.score(config.bootstrap(groups_N).proportion(exact_N, groups_N)),
        *timed.scores(config, groups_N),
    ]
    rates_N = torch.from_numpy(words.errors / np.maximum(1, words.units))
    return TaskResult(
        task=asked.name,
        protocol={
            "words": int(words.units.sum()),
            "normaliser": NORMALISER,
            "intervals over": over,
            **timed.protocol,
        },
        metrics=by_name(scores),
        baselines=baselines,
        values={
            WER.name: Values(WER.scale * _shares(words), found.groups),
            EXACT.name: Values(EXACT.scale * exact_N, found.groups),
        },
        predictions=_shown(asked, right, said, _drawn(len(right), config)),
        worst=_shown(asked, right, said, _worst(rates_N)),
        diagnostics=Diagnostics(slices=asked.slices(EXACT, exact_N)),
    )


def _groups(asked: Found, speaker: str) -> tuple[Tensor, str]:
    """(N,) what the resamples draw, and what that is."""
    named = [asked.dataset[row].items.get(speaker) for row in asked.predictions.rows]
    if not any(map(is_missing, named)) and len({str(one) for one in named}) > 1:
        return torch.tensor([group_key(str(one)) for one in named]), "speakers"
    return asked.predictions.groups, "groups"


@dataclass(frozen=True)
class _Timed:
    """Seconds between the true middle of recognised words and where they were heard, and the row of each."""

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


def _word_times(asked: Found, column: str, right: Sequence[str], said: Sequence[str]) -> _Timed:
    """Of the rows that have times; of no row where the head reads no whole sound, or does not say when words are said."""
    found, errors, rows = asked.predictions, [], []
    spans = found.values.spans if isinstance(found.values, TranscriptValues) else ()
    whole = [name for name in found.streams if _reads_whole(asked.members[0].modalities[name])]
    for number, row in enumerate(found.rows if spans else ()):
        items = asked.dataset[row].items
        words = _timed_words(items.get(column))
        seconds = _seconds([items.get(stream) for stream in whole])
        alike = len(spans[number]) == len(said[number].split())
        if seconds is None or not alike or " ".join(w for w, _ in words) != right[number]:
            continue
        for true, heard in same_words(right[number], said[number]):
            begin, end = spans[number][heard]
            errors.append(abs((begin + end) / 2 * seconds - words[true][1]))
            rows.append(number)
    return _Timed(np.array(errors), np.array(rows, dtype=np.int64))


def _timed_words(raw: Any) -> list[tuple[str, float]]:
    """Each word, normalised, and the middle of it in seconds; nothing where the value holds no times."""
    with suppress(WeftError):
        return [(normalise(one.word), (one.start + one.end) / 2) for one in timed_words(raw)]
    return []


def _seconds(recordings: Sequence[Any]) -> float | None:
    """The length of the first sound; None where there is none that can be read."""
    for recording in recordings:
        if isinstance(recording, Media) and recording.kind == "audio":
            with suppress(WeftError):
                return sound_facts(recording).seconds
    return None


def _reads_whole(modality: object) -> bool:
    """Whether it reads sounds from their begin to their end, so that a share of the places is one of the time."""
    return (
        isinstance(modality, Audio)
        and modality.config.seconds is None
        and modality.config.trim is None
    )


def _rates(
    asked: Found,
    errors: WordErrors,
    groups_N: Tensor,
    metrics: Sequence[Metric] = (WER, SUBSTITUTIONS, DELETIONS, INSERTIONS),
) -> list[Score]:
    kinds = [errors.errors, errors.substitutions, errors.deletions, errors.insertions]
    above_NK = np.stack(kinds[: len(metrics)], axis=1)
    below_NK = np.repeat(np.maximum(errors.units, 0)[:, None], len(metrics), axis=1)
    bootstrap = asked.config.bootstrap(groups_N)
    found = bootstrap.ratios(above_NK, below_NK, groups_N)
    return [metric.score(one.estimate()) for metric, one in zip(metrics, found, strict=True)]


def _shares(errors: WordErrors) -> Tensor:
    """(N,) each row's errors by the mean number of units of a row, so that their mean is the rate of the corpus."""
    return torch.from_numpy(errors.errors / max(1.0, float(errors.units.mean()))).double()


def _of(said: Sequence[str], right: Sequence[str]) -> dict[str, float]:
    """What a baseline that says this reaches."""
    words = word_errors(right, said)
    exact = np.mean([one == other for one, other in zip(right, said, strict=True)])
    return {
        WER.name: WER.scale * words.rate,
        CER.name: CER.scale * character_errors(right, said).rate,
        EXACT.name: EXACT.scale * float(exact),
    }


def _commonest(asked: Found, target: Transcript) -> str | None:
    """The transcript that most training rows have; None where they are not at hand."""
    counts: Counter[str] = Counter()
    for row in range(len(asked.training) if asked.training is not None else 0):
        assert asked.training is not None
        try:
            counts[normalise(target.text(asked.training[row].items[target.column]))] += 1
        except (WeftError, KeyError):
            continue  # training has reported it
    return min(counts, key=lambda text: (-counts[text], text)) if counts else None


def _worst(rates_N: Tensor) -> list[int]:
    order: list[int] = rates_N.argsort(descending=True, stable=True)[:WORST].tolist()
    return [row for row in order if rates_N[row] > 0]


def _drawn(rows: int, config: SlicedConfig) -> list[int]:
    """Some rows, drawn at random."""
    generator = torch.Generator().manual_seed(config.seed)
    drawn: list[int] = torch.randperm(rows, generator=generator)[: config.examples].tolist()
    return drawn


def _shown(
    asked: Found, right: Sequence[str], said: Sequence[str], chosen: Sequence[int]
) -> list[Prediction]:
    found = asked.predictions
    return [
        Prediction(
            inputs=tuple(Entry(stream, found.rows[row]) for stream in found.streams),
            predicted=said[row] or "(nothing)",
            expected=(right[row],),
            right=right[row] == said[row],
        )
        for row in chosen
    ]
