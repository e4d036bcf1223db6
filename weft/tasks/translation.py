"""Translation: texts in another language, compared with reference translations by BLEU and chrF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.media import Alternatives
from weft.core.needs import Needs
from weft.core.ranges import COUNT, require
from weft.core.samples import Sample
from weft.data.formats import Dataset, columns_of, spread_rows
from weft.evaluation.bootstrap import Bootstrap, Floats
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import POINTS, Metric, Score, by_name
from weft.evaluation.translation import (
    Tokenizer,
    bleu,
    bleu_counts,
    chrf,
    chrf_counts,
)
from weft.heads.texts import TextOutput
from weft.inference.config import InferenceConfig
from weft.inference.entries import readable
from weft.inference.member import Entry, Member, check_members
from weft.inference.predict import Predictions, predict
from weft.inference.results import Prediction, TaskResult, Values
from weft.inference.rows import Selection
from weft.tasks.base import WORST, TaskConfig

BLEU = Metric("BLEU", POINTS, headline=True)
CHRF = Metric("chrF", POINTS, headline=True)
STATISTICS = {BLEU: bleu, CHRF: chrf}
"""Metric -> its function of the sums of counts."""


@dataclass(frozen=True)
class TranslationTaskConfig(TaskConfig):
    """Translation: generated translations against those of the rows."""

    head: str = "translation"
    """Head that writes the translations."""
    references: str | None = None
    """Column of the references. If not given, or if no row has it: the stream of the head's output, from which the head
    learns to write."""
    tokenizer: Tokenizer = "13a"
    """How sacreBLEU counts words: 13a where blanks divide them, zh for Chinese."""
    swap: tuple[str, ...] = ("image",)
    """Streams that are also replaced by those of another row, as a control, if the head reads several streams."""
    limit: int | None = None
    """Number of rows to measure, spread evenly over all, to save time; None measures all."""
    inference: InferenceConfig = field(
        default_factory=lambda: InferenceConfig(batch_size=100), kw_only=True
    )
    """How the model is run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, limit=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TextOutput})

    def build(self) -> "TranslationTask":
        return TranslationTask(self)


class TranslationTask:
    """BLEU and chrF of one translation per row, as sacreBLEU computes them, over the whole set.

    Baselines: the same model with a stream of another row and, if the references are not the texts that the model
    learned, the row's own text of that kind, such as the machine translation that it learned from.
    """

    name = "translation"
    metrics = (BLEU, CHRF)

    def __init__(self, config: TranslationTaskConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError if no row can be read, DataError for a row without a reference."""
        config = self.config
        output = text_output(members, config.head)
        column = references_of(dataset, config.references, output.stream, config.inference)
        rows = [(row,) for row in spread_rows(len(dataset), config.limit)]
        found = predict(
            members,
            dataset,
            config.head,
            config.inference,
            swap=config.swap,
            selection=Selection(rows, lambda sample: texts_of(sample, column)),
            device=device,
        )
        samples = [dataset[row] for row in found.rows]
        references = [texts_of(sample, column) for sample in samples]
        counts = self._counts(found.said, references)
        said = {**found.altered_said, **_learned(samples, column, output.stream)}
        groups = found.groups
        shown = partial(_shown, found, references, chrf(counts[CHRF]))
        return TaskResult(
            task=self.name,
            protocol={
                "translations": len(found),
                "references": column,
                "tokenizer": config.tokenizer,
                "generation": output.generation.method,
                **config.protocol(members, dataset, found),
                "left_out_unreadable": len(rows) - len(found),
            },
            metrics=_scores(counts, config.bootstrap(groups), groups.numpy()),
            baselines={name: _values(self._counts(t, references)) for name, t in said.items()},
            leakage=leakage,
            values={
                metric.name: Values(
                    torch.from_numpy(counts[metric]), groups, partial(_in_unit, metric)
                )
                for metric in STATISTICS
            },
            predictions=shown(_drawn(len(found), config.examples, config.seed)),
            worst=shown(np.argsort(chrf(counts[CHRF]), kind="stable")[:WORST].tolist()),
            head=config.head,
        )

    def _counts(
        self, said: Sequence[str], references: Sequence[Sequence[str]]
    ) -> dict[Metric, Floats]:
        """Metric -> (N, C) the counts that each translation adds."""
        return {
            BLEU: bleu_counts(said, references, self.config.tokenizer),
            CHRF: chrf_counts(said, references),
        }


def text_output(members: Sequence[Member], head: str) -> TextOutput:
    """The output of the first member's head. Raises WeftError if it is not a text, ValueError if there are no
    members.
    """
    check_members(members)
    output = members[0].model.head(head).output
    if not isinstance(output, TextOutput):
        raise WeftError(f"head '{head}' writes no texts, expected one that does")
    return output


def references_of(
    dataset: Dataset, column: str | None, stream: str, inference: InferenceConfig
) -> str:
    """The column, or the stream if no row has it. Raises WeftError if no row has the stream either, and if the data
    are known to have no such column.
    """
    known = columns_of(dataset).items
    if column is not None and known and column not in known:
        raise unknown_name("column of references", column, known)
    bad = inference.errors.build(len(dataset))
    held = {name for _, sample in readable(dataset, bad) for name in sample.items}
    found = column if column is not None and column in held else stream
    if found not in held:
        raise WeftError(f"no row has '{found}', with which translations could be compared")
    return found


def texts_of(sample: Sample, column: str) -> list[str]:
    """The row's texts in that column. Raises DataError if it has none."""
    raw = sample.items.get(column)
    texts = [raw] if isinstance(raw, str) else list(raw) if isinstance(raw, Alternatives) else []
    if not any(isinstance(text, str) and text.strip() for text in texts):
        known = ", ".join(sample.items) or "nothing"
        raise DataError(f"has no text in '{column}', it has: {known}", source=sample.source)
    return texts


def _learned(samples: Sequence[Sample], column: str, stream: str) -> dict[str, list[str]]:
    """The texts that the head was trained to write, if these are not the references and all rows have one."""
    if column == stream or any(sample.items.get(stream) is None for sample in samples):
        return {}
    return {stream: [texts_of(sample, stream)[0] for sample in samples]}


def _in_unit(metric: Metric, counts: Floats) -> Floats:
    return metric.scale * STATISTICS[metric](counts)


def _values(counts: Mapping[Metric, Floats]) -> dict[str, float]:
    return {metric.name: float(_in_unit(metric, found.sum(0))) for metric, found in counts.items()}


def _scores(
    counts: Mapping[Metric, Floats], bootstrap: Bootstrap, groups: NDArray[np.int64]
) -> dict[str, Score]:
    return by_name(
        metric.score(bootstrap.of_sums(STATISTICS[metric], found, groups).estimate())
        for metric, found in counts.items()
    )


def _shown(
    found: Predictions,
    references: Sequence[Sequence[str]],
    scores: Floats,
    places: Sequence[int],
) -> tuple[Prediction, ...]:
    said = found.said
    return tuple(
        Prediction(
            inputs=tuple(Entry(stream, found.rows[place]) for stream in found.streams),
            predicted=said[place],
            expected=tuple(references[place]),
            score=100 * float(scores[place]),
        )
        for place in places
    )


def _drawn(rows: int, number: int, seed: int) -> list[int]:
    drawn: list[int] = np.random.default_rng(seed).permutation(rows)[:number].tolist()
    return drawn
