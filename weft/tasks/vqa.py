"""Visual question answering as classification: the answer is one of those known from training."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from weft.core.config import Config
from weft.core.interfaces import JOINT
from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.leakage import Leakage
from weft.inference.classes import Predictions, Reading, predict_classes
from weft.inference.member import Member
from weft.inference.results import TaskResult
from weft.inference.rows import RowsConfig
from weft.tasks._accuracy import Expected, as_values, macro_f1, shown
from weft.tasks._questions import Columns, expected_answers, guesses_from_words
from weft.tasks.base import check_measures


@dataclass(frozen=True)
class VQAConfig(Config):
    """Answers to questions about pictures, beside what can be answered without the picture."""

    image: str = "image"
    """Stream of the pictures."""
    question: str = "question"
    """Stream of the questions."""
    target: str = "answer"
    """Target whose classes are the answers."""
    decoder: str = "answer"
    """Decoder that gives a logit for each answer."""
    context: str = JOINT
    """What the decoder reads: joint, or a stream."""
    answer: str = "answer"
    """Column with the right answer, or the annotators' most frequent one."""
    answers: str = "answers"
    """Column with the answers of all annotators, for the soft accuracy of VQA v2, if there is one."""
    kind: str = "type"
    """Column with the kind of question, whose accuracies are also given, if there is one."""
    resamples: int = 2000
    """Of the bootstrap."""
    seed: int = 0
    """Of the bootstrap and of the rows that are shown."""
    examples: int = 12
    """Rows that are kept to be shown, half of them right, half wrong."""
    rows: RowsConfig = field(default_factory=RowsConfig)
    """How the model is run."""

    def __post_init__(self) -> None:
        check_measures((1,), self.resamples, self.examples)

    @property
    def columns(self) -> Columns:
        return Columns(self.question, self.answer, self.answers, self.kind)

    def build(self) -> "VQA":
        return VQA(self)


class VQA:
    """Accuracy, VQA v2's soft accuracy, both by kind of question, and macro F1.

    Baselines: the most frequent answer of all; the most frequent answer to the very words of the
    question, the best that is to be had without a picture; and the model itself with the picture, or
    the question, of another row. The first two are learned from the training rows, where they are at
    hand, and otherwise only the first is given, from the rows measured.
    """

    name = "vqa"

    def __init__(self, config: VQAConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the mean of their probabilities."""
        config = self.config
        streams = (config.image, config.question)
        reading = Reading(streams, config.target, config.decoder, config.context)
        found = predict_classes(members, dataset, reading, config.rows, swap=True, device=device)
        expected = expected_answers(dataset, found.rows, config.columns)
        values = expected.values(found.said())
        bootstrap = Bootstrap(found.groups, resamples=config.resamples, seed=config.seed)
        baselines, told = self._baselines(members[0], dataset, found, expected)
        return TaskResult(
            task=self.name,
            protocol={
                "questions": len(found.rows),
                "images": len(set(found.groups.tolist())),
                "answers_known": len(found.classes),
                "answers_not_known": int((found.target < 0).sum()),
                **told,
                "models": len(members),
                "left_out_unreadable": len(dataset) - len(found.rows),
                "interval": f"95% bootstrap over images, {config.resamples} resamples",
            },
            metrics={
                **expected.estimates(values, bootstrap, found.groups),
                "macro_f1": macro_f1(found, bootstrap),
            },
            baselines=baselines,
            leakage=leakage,
            values=as_values(values, found.groups),
            predictions=shown(
                found,
                next(iter(values.values())),
                expected,
                streams,
                config.examples,
                config.seed,
            ),
        )

    def _baselines(
        self, member: Member, dataset: Dataset, found: Predictions, expected: Expected
    ) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
        """Baseline -> {metric -> percent}, and what the protocol says of them."""
        said, told = guesses_from_words(
            member.training, dataset, found.rows, expected, self.config.columns
        )
        for stream, swapped in found.said_with_swapped().items():
            said[f"{stream} of another"] = swapped
        return {name: expected.means(answers) for name, answers in said.items()}, told
