"""Captioning: sentences about pictures, compared with what people said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from weft.core.errors import DataError, WeftError
from weft.core.needs import Needs
from weft.core.ranges import COUNT, require
from weft.core.samples import Sample, group_key
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.data.prepare.captions import as_captions
from weft.evaluation import captions, meteor
from weft.evaluation.caption_tokens import characters, words
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import POINTS, Metric, Score, by_name
from weft.heads.texts import TextOutput
from weft.inference.config import InferenceConfig
from weft.inference.entries import readable
from weft.inference.member import Entry, Member, check_members
from weft.inference.predict import predict
from weft.inference.results import Prediction, TaskResult, Values
from weft.inference.rows import Selection
from weft.tasks.base import WORST, TaskConfig

CIDER = Metric("CIDEr-D", POINTS, headline=True, row_mean=True)
METRICS = {
    **{f"Bleu_{n}": Metric(f"BLEU-{n}", POINTS, headline=n == 4) for n in range(1, 5)},
    "ROUGE_L": Metric("ROUGE-L", POINTS),
    "CIDEr": CIDER,
    "METEOR": Metric("METEOR", POINTS),
}
"""Name of a count in `weft.evaluation.captions` -> the metric."""
_ONE_SENTENCE = "the most frequent caption of the training rows, for every picture"
_NO_TRAINING_ROWS = "not measured: the training rows are not available"


@dataclass(frozen=True)
class CaptioningTaskConfig(TaskConfig):
    """Captioning: generated captions against the captions of the rows."""

    head: str = "caption"
    """Head that writes the captions."""
    references: str = "text"
    """Column of the references."""
    unit: Literal["word", "character"] = "word"
    """Unit of the metrics: word, or character for scripts without blanks, such as Chinese."""
    meteor: bool = True
    """METEOR too, for English words, where Java and the package pycocoevalcap (weft[meteor]) are there."""
    limit: int | None = None
    """Number of rows to measure, from the start, to save time; None measures all."""
    examples: int = field(default=12, kw_only=True)
    """Number of randomly sampled captions that are kept for display."""
    inference: InferenceConfig = field(
        default_factory=lambda: InferenceConfig(batch_size=100), kw_only=True
    )
    """How the model is run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, limit=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TextOutput}, together=(self.references,))

    def build(self) -> "CaptioningTask":
        return CaptioningTask(self)


class CaptioningTask:
    """BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D, each times 100, of one caption per picture.

    The references of a picture are the texts of all rows that match each other. The first readable of these rows is
    captioned. Several models are an ensemble whose probabilities are averaged at each token, so they must share a
    vocabulary.
    """

    name = "captioning"
    metrics = tuple(METRICS.values())

    def __init__(self, config: CaptioningTaskConfig) -> None:
        self.config = config
        self._tokenize = words if config.unit == "word" else characters

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError if no row has a text, or if the models do not use the same tokens."""
        check_members(members)
        config = self.config
        if config.limit is not None:
            dataset = _First(dataset, config.limit)
        told = _references(dataset, config.references, config.inference.errors.build(len(dataset)))
        one_each = Selection(rows=list(told.rows.values()))
        found = predict(
            members, dataset, config.head, config.inference, selection=one_each, device=device
        )
        names = {row: name for name, rows in told.rows.items() for row in rows}
        captioned = {names[row]: row for row in found.rows}
        candidates = dict(zip(captioned, found.said, strict=True))
        references = {name: told.texts[name] for name in candidates}
        scores = captions.evaluate(
            candidates,
            references,
            self._tokenize,
            with_meteor=config.meteor and config.unit == "word" and meteor.available(),
        )
        groups = np.array([group_key(told.groups[name]) for name in candidates])
        sentence = self._commonest(members[0].training)
        cider = Values(torch.from_numpy(CIDER.scale * scores.cider), torch.from_numpy(groups))
        shown = partial(self._examples, scores, candidates, references, captioned, found.streams)
        return TaskResult(
            task=self.name,
            protocol={
                **told.protocol,
                **self._protocol(members, references),
                "one sentence": _ONE_SENTENCE if sentence else _NO_TRAINING_ROWS,
                "left_out_unreadable": len(told.rows) - len(candidates),
            },
            metrics=self._scores(scores, groups),
            baselines=self._baselines(references, sentence),
            leakage=leakage,
            values={CIDER.name: cider},
            predictions=shown(self._drawn(len(scores.ids))),
            worst=shown(np.argsort(scores.cider, kind="stable")[:WORST].tolist()),
            head=config.head,
        )

    def _protocol(
        self, members: Sequence[Member], references: Mapping[str, Sequence[str]]
    ) -> dict[str, Any]:
        config, head = self.config, members[0].model.head(self.config.head)
        if not isinstance(head.output, TextOutput):
            raise WeftError(f"head '{config.head}' writes no texts, expected one that does")
        way = head.output.generation
        beam = f"beam search, {way.beams} beams, length exponent {way.length_exponent:g}"
        return {
            "captions": len(references),
            "references": sum(map(len, references.values())),
            "unit": config.unit,
            "generation": beam if way.method == "beam" else way.method,
            "views": head.views,
            "models": len(members),
            "interval": f"95% bootstrap over groups, {config.resamples} resamples",
            "person": "each picture's first reference, compared with its others only",
        }

    def _scores(
        self, scores: captions.CaptionScores, groups: NDArray[np.int64]
    ) -> dict[str, Score]:
        statistics = scores.statistics(self.config.bootstrap(torch.from_numpy(groups)), groups)
        return by_name(METRICS[n].score(found.estimate()) for n, found in statistics.items())

    def _commonest(self, training: Dataset | None) -> str | None:
        """The most frequent sentence of the training rows; None if they are not available."""
        texts: list[str] = []
        if training is None:
            return None
        for row in range(len(training)):
            try:
                texts += as_captions(training[row].items.get(self.config.references))
            except DataError:
                continue  # training has reported it
        return captions.commonest(texts, self._tokenize) if texts else None

    def _baselines(
        self, references: Mapping[str, Sequence[str]], sentence: str | None
    ) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        if sentence is not None:
            everywhere = dict.fromkeys(references, sentence)
            found["one sentence"] = captions.score(everywhere, references, self._tokenize)
        if any(len(texts) > 1 for texts in references.values()):
            found["person"] = captions.leave_one_out(references, self._tokenize)
        return {
            kind: {METRICS[n].name: METRICS[n].scale * value for n, value in values.items()}
            for kind, values in found.items()
        }

    def _examples(
        self,
        scores: captions.CaptionScores,
        candidates: Mapping[str, str],
        references: Mapping[str, Sequence[str]],
        rows: Mapping[str, int],
        streams: Sequence[str],
        places: Sequence[int],
    ) -> tuple[Prediction, ...]:
        return tuple(
            Prediction(
                inputs=tuple(Entry(stream, rows[scores.ids[place]]) for stream in streams),
                predicted=candidates[scores.ids[place]],
                expected=tuple(references[scores.ids[place]]),
                score=float(scores.cider[place]),
            )
            for place in places
        )

    def _drawn(self, rows: int) -> list[int]:
        """Random captions."""
        order = np.random.default_rng(self.config.seed).permutation(rows)
        drawn: list[int] = order[: self.config.examples].tolist()
        return drawn


@dataclass(frozen=True)
class _Told:
    """texts: match -> its references. rows, groups: match -> its rows, and the group of the first. splits: the
    splits that the rows name.
    """

    texts: dict[str, list[str]]
    rows: dict[str, list[int]]
    groups: dict[str, str]
    splits: set[str]

    @property
    def protocol(self) -> dict[str, str]:
        return {"split": ", ".join(sorted(self.splits))} if self.splits else {}


def _references(dataset: Dataset, column: str, bad: BadRows) -> _Told:
    """The references of each picture. Raises WeftError if no row has a text."""
    told = _Told({}, {}, {}, set())
    for row, sample in readable(dataset, bad):
        if sample.items.get("split") is not None:
            told.splits.add(str(sample.items["split"]))
        raw = sample.items.get(column)
        if raw is not None:
            told.rows.setdefault(sample.match_name, []).append(row)
            told.groups.setdefault(sample.match_name, sample.group)
            told.texts.setdefault(sample.match_name, []).extend(
                [raw] if isinstance(raw, str) else raw
            )
    if not told.texts:
        raise WeftError(f"no row has '{column}', with which captions could be compared")
    return told


class _First:
    """The first rows of a data set."""

    def __init__(self, dataset: Dataset, count: int) -> None:
        self._dataset = dataset
        self._count = min(count, len(dataset))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[index]

    def __iter__(self) -> Iterator[Sample]:
        return (self._dataset[index] for index in range(self._count))
