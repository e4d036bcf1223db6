"""Speech recognition: the recognised words compared with the spoken ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.missing import is_missing
from weft.core.needs import Needs
from weft.core.samples import group_key
from weft.data.targets.transcript import Transcript
from weft.evaluation.metric import Metric, Score, by_name
from weft.evaluation.word_errors import (
    NORMALISER,
    WordErrors,
    character_errors,
    normalise,
    word_errors,
)
from weft.heads.transcripts import TranscriptOutput
from weft.inference.diagnostics import Diagnostics
from weft.inference.member import Entry
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._of_target import Found, OfTarget
from weft.tasks.base import WORST, SlicedConfig
from weft.tasks.recognised_words import (
    IN_TIME,
    TIME_ERROR,
    recognised_words,
    stream_weights,
    word_times,
)

WER = Metric("WER", better="lower", headline=True, said="word error rate", row_mean=True)
CER = Metric("CER", better="lower", said="character error rate")
SUBSTITUTIONS = Metric("substitutions", better="lower")
DELETIONS = Metric("deletions", better="lower")
INSERTIONS = Metric("insertions", better="lower")
EXACT = Metric("exact_match", said="transcripts without an error", row_mean=True)
METRICS = (WER, CER, SUBSTITUTIONS, DELETIONS, INSERTIONS, EXACT, TIME_ERROR, IN_TIME)


@dataclass(frozen=True)
class TranscriptionTaskConfig(SlicedConfig):
    """Transcripts of speech: word and character error rate.

    WER and CER over the whole corpus: substitutions, deletions and insertions by the words (characters) of
    the references. Baselines: nothing, and the commonest transcript of the training rows. Where rows have the times of
    their words, the middle of each word that is recognised, by the alignment of CTC, is compared with the true one.
    Where a gate weighs the streams at each moment, its mean weights are given of each word, and of all.
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
    timed = word_times(asked, config.times, right, said)
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
        diagnostics=Diagnostics(
            slices=asked.slices(EXACT, exact_N),
            stream_weights=stream_weights(asked, groups_N),
        ),
    )


def _groups(asked: Found, speaker: str) -> tuple[Tensor, str]:
    """(N,) the unit of resampling of each row, and its name."""
    named = [asked.dataset[row].items.get(speaker) for row in asked.predictions.rows]
    if not any(map(is_missing, named)) and len({str(one) for one in named}) > 1:
        return torch.tensor([group_key(str(one)) for one in named]), "speakers"
    return asked.predictions.groups, "groups"


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
    """(N,) each row's errors divided by the mean number of units per row, so that their mean is the rate of the
    corpus.
    """
    return torch.from_numpy(errors.errors / max(1.0, float(errors.units.mean()))).double()


def _of(said: Sequence[str], right: Sequence[str]) -> dict[str, float]:
    """The metrics of a baseline with this transcript."""
    words = word_errors(right, said)
    exact = np.mean([one == other for one, other in zip(right, said, strict=True)])
    return {
        WER.name: WER.scale * words.rate,
        CER.name: CER.scale * character_errors(right, said).rate,
        EXACT.name: EXACT.scale * float(exact),
    }


def _commonest(asked: Found, target: Transcript) -> str | None:
    """The most frequent transcript of the training rows; None if they are not available."""
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
    """Random rows."""
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
            words=recognised_words(asked, asked.config.times, row, right[row], said[row])
            if isinstance(asked.config, TranscriptionTaskConfig)
            else (),
        )
        for row in chosen
    ]
