"""Captioning: sentences about pictures, compared with what people said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from weft.core.config import Config
from weft.core.errors import DataError, WeftError
from weft.core.records import Sample, group_key
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.decoders.generation import GenerationConfig
from weft.evaluation import captions, meteor
from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.leakage import Leakage
from weft.inference.generation import Seen, describe, text_modality
from weft.inference.member import Item, Member
from weft.inference.results import Prediction, TaskResult, Values
from weft.inference.rows import RowsConfig, read_rows

NAMES = {f"Bleu_{n}": f"BLEU-{n}" for n in range(1, 5)} | {
    "ROUGE_L": "ROUGE-L",
    "CIDEr": "CIDEr-D",
    "METEOR": "METEOR",
}
PERCENT = 100


@dataclass(frozen=True)
class CaptioningTaskConfig(Config):
    """What is generated, and how it is compared."""

    text: str = "text"
    """Stream of the references, whose tokens are generated."""
    image: str = "image"
    """Stream that is shown beside a prediction."""
    context: str = "image"
    """What the decoder reads: a stream after fusion, or the joint one."""
    decoder: str = "caption"
    """Decoder that writes the captions."""
    unit: Literal["word", "character"] = "word"
    """What metrics count; characters where a script has no blanks, such as Chinese."""
    meteor: bool = True
    """METEOR too, for English words, where Java and the package pycocoevalcap (weft[meteor]) are there."""
    generation: GenerationConfig = field(
        default_factory=lambda: GenerationConfig(method="beam", max_length=24)
    )
    views: int = 1
    """Evaluation views of a picture whose probabilities are averaged at each token."""
    limit: int | None = None
    """Only so many of the first rows, to save time; None measures all."""
    resamples: int = 2000
    seed: int = 0
    """Of the resamples and of the choice of examples."""
    examples: int = 12
    """Predictions that are kept to be shown, chosen at random."""
    rows: RowsConfig = field(default_factory=lambda: RowsConfig(batch_size=100))

    def __post_init__(self) -> None:
        for name in ("views", "resamples"):
            if vars(self)[name] < 1:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least 1")
        if self.examples < 0 or (self.limit is not None and self.limit < 1):
            raise ValueError(
                f"examples is {self.examples} and limit {self.limit}, expected at least 0 and 1"
            )

    def build(self) -> "CaptioningTask":
        return CaptioningTask(self)


class CaptioningTask:
    """BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D, each times 100, of one caption a group of rows.

    The references of a group are the texts of all its rows; its first row is captioned. Several models
    are an ensemble whose probabilities are averaged at each token, so they must share a vocabulary.
    """

    name = "captioning"

    def __init__(self, config: CaptioningTaskConfig) -> None:
        self.config = config
        self._tokenize = captions.words if config.unit == "word" else captions.characters

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError where no row has a text, or the models do not write the same tokens."""
        if not members:
            raise ValueError("evaluate got no members, expected at least one model")
        config = self.config
        if config.limit is not None:
            dataset = _First(dataset, config.limit)
        told = _references(dataset, config.text, config.rows.errors.build(len(dataset)))
        written = self._written(members, dataset, device)
        candidates = {group: written[row] for group, row in told.rows.items() if row in written}
        if not candidates:
            raise WeftError("no row could be read, so no caption was generated")
        references = {group: told.texts[group] for group in candidates}
        scores = captions.evaluate(
            candidates,
            references,
            self._tokenize,
            with_meteor=config.meteor and config.unit == "word" and meteor.available(),
        )
        groups = np.array([group_key(group) for group in candidates])
        cider = Values(torch.from_numpy(PERCENT * scores.cider), torch.from_numpy(groups))
        return TaskResult(
            task=self.name,
            protocol={
                **told.protocol,
                **self._protocol(references, len(members)),
                "left_out_unreadable": len(told.rows) - len(candidates),
            },
            metrics=self._metrics(scores, groups),
            baselines=self._baselines(references),
            leakage=leakage,
            values={"CIDEr-D": cider},
            predictions=self._examples(scores, candidates, references, told.rows),
        )

    def _written(
        self, members: Sequence[Member], dataset: Dataset, device: torch.device | str
    ) -> dict[int, str]:
        """row -> generated text, of the rows that could be read."""
        texts = [text_modality(member.modalities, self.config.text) for member in members]
        if any(text.state() != texts[0].state() for text in texts[1:]):
            raise WeftError(
                "the models have different vocabularies, expected one to write together"
            )
        found: dict[int, str] = {}
        config = self.config
        for rows, seen in self._seen(members, dataset, device):
            said = describe(
                seen,
                texts[0],
                config.generation,
                decoder=config.decoder,
                context=config.context,
                precision=config.rows.precision,
                device=device,
            )
            found |= dict(zip(rows, said, strict=True))
        return found

    def _seen(
        self, members: Sequence[Member], dataset: Dataset, device: torch.device | str
    ) -> Iterator[tuple[Sequence[int], list[Seen]]]:
        """Batches of rows as each member sees them, once for each view."""
        who = [(member, view) for member in members for view in range(self.config.views)]
        readers = [
            read_rows(
                member,
                dataset,
                list(member.model.encoders),
                self.config.rows,
                device=device,
                view=view,
                what="captioning",
            )
            for member, view in who
        ]
        for batches in zip(*readers, strict=True):
            if any(found.rows != batches[0].rows for found in batches):
                raise WeftError("a row can be read by one model but not by another")
            yield (
                batches[0].rows,
                [
                    (member.model, found.batch.inputs)
                    for (member, _), found in zip(who, batches, strict=True)
                ],
            )

    def _protocol(self, references: Mapping[str, Sequence[str]], models: int) -> dict[str, Any]:
        config, way = self.config, self.config.generation
        beam = f"beam search, {way.beams} beams, length exponent {way.length_exponent:g}"
        return {
            f"{config.image}s": len(references),
            f"{config.text}s": sum(map(len, references.values())),
            "unit": config.unit,
            "generation": beam if way.method == "beam" else way.method,
            "views": config.views,
            "models": models,
            "interval": f"95% bootstrap over groups, {config.resamples} resamples",
            "one sentence": "the commonest reference, said of every picture",
            "person": "each picture's first reference, compared with its others only",
        }

    def _metrics(
        self, scores: captions.CaptionScores, groups: NDArray[np.int64]
    ) -> dict[str, Estimate]:
        bootstrap = Bootstrap(groups, resamples=self.config.resamples, seed=self.config.seed)
        statistics = scores.statistics(bootstrap, groups)
        return {NAMES[name]: (found * PERCENT).estimate() for name, found in statistics.items()}

    def _baselines(self, references: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
        everything = [text for texts in references.values() for text in texts]
        sentence = captions.commonest(everything, self._tokenize)
        found = {
            "one sentence": captions.score(
                dict.fromkeys(references, sentence), references, self._tokenize
            )
        }
        if any(len(texts) > 1 for texts in references.values()):
            found["person"] = captions.leave_one_out(references, self._tokenize)
        return {
            kind: {NAMES[name]: PERCENT * value for name, value in values.items()}
            for kind, values in found.items()
        }

    def _examples(
        self,
        scores: captions.CaptionScores,
        candidates: Mapping[str, str],
        references: Mapping[str, Sequence[str]],
        rows: Mapping[str, int],
    ) -> tuple[Prediction, ...]:
        order = np.random.default_rng(self.config.seed).permutation(len(scores.ids))
        return tuple(
            Prediction(
                inputs=(Item(self.config.image, rows[scores.ids[place]]),),
                predicted=candidates[scores.ids[place]],
                expected=tuple(references[scores.ids[place]]),
                score=float(scores.cider[place]),
            )
            for place in order[: self.config.examples].tolist()
        )


@dataclass(frozen=True)
class _Told:
    """texts: group -> its references. rows: group -> its first row. splits: that the rows name."""

    texts: dict[str, list[str]]
    rows: dict[str, int]
    splits: set[str]

    @property
    def protocol(self) -> dict[str, str]:
        return {"split": ", ".join(sorted(self.splits))} if self.splits else {}


def _references(dataset: Dataset, column: str, bad: BadRows) -> _Told:
    """What people said of each group. Raises WeftError where no row has a text."""
    told = _Told({}, {}, set())
    for row in range(len(dataset)):
        try:
            sample = dataset[row]
        except DataError as error:
            bad.add(error)
            continue
        if sample.items.get("split") is not None:
            told.splits.add(str(sample.items["split"]))
        raw = sample.items.get(column)
        if raw is not None:
            told.rows.setdefault(sample.group, row)
            told.texts.setdefault(sample.group, []).extend([raw] if isinstance(raw, str) else raw)
    if not told.texts:
        raise WeftError(f"no row has a '{column}', with which captions could be compared")
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
