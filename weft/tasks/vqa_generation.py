"""Visual question answering by writing: a decoder generates the answer, whatever it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import group_key
from weft.data.formats import Dataset
from weft.decoders.generation import GenerationConfig
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.leakage import Leakage
from weft.evaluation.ranking import right_and_wrong
from weft.inference.generation import describe, text_modality
from weft.inference.member import Item, Member
from weft.inference.results import Prediction, TaskResult
from weft.inference.rows import RowsConfig, read_rows
from weft.tasks._accuracy import Expected, as_values
from weft.tasks._questions import Columns, expected_answers, guesses_from_words
from weft.tasks.base import check_measures


@dataclass(frozen=True)
class VQAGenerationConfig(Config):
    """Answers that are written, compared in the spelling of VQA v2's evaluation."""

    image: str = "image"
    """Stream of the pictures."""
    question: str = "question"
    """Stream of the questions."""
    text: str = "answer"
    """Stream of the answers, whose tokens are generated, and their column."""
    decoder: str = "answer"
    """Decoder that writes."""
    context: str = JOINT
    """What the decoder reads: joint, or a stream after fusion."""
    answers: str = "answers"
    """Column with the answers of all annotators, for the soft accuracy of VQA v2, if there is one."""
    kind: str = "type"
    """Column with the kind of question, whose accuracies are also given, if there is one."""
    generation: GenerationConfig = field(default_factory=lambda: GenerationConfig(max_length=10))
    """How answers are generated."""
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
        return Columns(self.question, self.text, self.answers, self.kind)

    def build(self) -> "VQAGeneration":
        return VQAGeneration(self)


class VQAGeneration:
    """Accuracy by exact match after normalisation, VQA v2's soft accuracy, both by kind of question.

    Baselines: the most frequent training answer, and the most frequent one to the very words.
    """

    name = "vqa_generation"

    def __init__(self, config: VQAGenerationConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model. Raises WeftError for several, which write no answer together."""
        if len(members) != 1:
            raise WeftError(f"{len(members)} models are to write answers, expected one")
        config, member = self.config, members[0]
        written = self._written(member, dataset, device)
        rows, said = tuple(written), list(written.values())
        if not rows:
            raise WeftError("no row of the data set can be read")
        expected = expected_answers(dataset, rows, config.columns, spelling=True)
        groups = torch.tensor([group_key(dataset[row].group) for row in rows])
        bootstrap = Bootstrap(groups, resamples=config.resamples, seed=config.seed)
        values = expected.values(said)
        guesses, told = guesses_from_words(member.training, dataset, rows, expected, config.columns)
        return TaskResult(
            task=self.name,
            protocol={
                "questions": len(rows),
                "images": len(np.unique(groups)),
                **told,
                "generation": config.generation.method,
                "left_out_unreadable": len(dataset) - len(rows),
                "interval": f"95% bootstrap over images, {config.resamples} resamples",
            },
            metrics=expected.estimates(values, bootstrap, groups),
            baselines={name: expected.means(answers) for name, answers in guesses.items()},
            leakage=leakage,
            values=as_values(values, groups),
            predictions=self._shown(rows, said, next(iter(values.values())), expected),
        )

    def _written(
        self, member: Member, dataset: Dataset, device: torch.device | str
    ) -> dict[int, str]:
        """row -> its answer, of the rows that could be read."""
        config = self.config
        text = text_modality(member.modalities, config.text)
        found: dict[int, str] = {}
        streams = [s for s in (config.image, config.question) if s in member.model.encoders]
        for read in read_rows(
            member, dataset, streams, config.rows, device=device, what="answering"
        ):
            said = describe(
                [(member.model, read.batch.inputs)],
                text,
                config.generation,
                decoder=config.decoder,
                context=config.context,
                precision=config.rows.precision,
                device=device,
            )
            found |= dict(zip(read.rows, said, strict=True))
        return found

    def _shown(
        self, rows: Sequence[int], said: Sequence[str], right: torch.Tensor, expected: Expected
    ) -> list[Prediction]:
        config = self.config
        chosen = right_and_wrong(2 - (right > 0).long(), config.examples, config.seed)
        return [
            Prediction(
                inputs=(Item(config.image, rows[n]), Item(config.question, rows[n])),
                predicted=said[n],
                expected=expected.shown(n),
                right=bool(right[n] > 0),
            )
            for n in chosen
        ]
