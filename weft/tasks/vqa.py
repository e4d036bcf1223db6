"""Visual question answering, with answers that are chosen from known ones or generated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Score
from weft.heads.classes import ClassValues
from weft.heads.output import Output, TargetClasses
from weft.inference.member import Member, check_members
from weft.inference.predict import Predictions, predict
from weft.inference.results import TaskResult
from weft.inference.rows import Selection
from weft.tasks._accuracy import measured, right_classes, target_of
from weft.tasks._of_classes import MACRO_F1, class_diagnostics, f1_and_balanced_accuracy
from weft.tasks._questions import ANSWERED, Columns, expected_answers, guesses_from_words
from weft.tasks.base import SlicedConfig


@dataclass(frozen=True)
class VQAConfig(SlicedConfig):
    """Answers to questions about pictures, compared with answers without the picture."""

    head: str = "answer"
    """Head that answers: its classes are the answers, or it writes them."""
    question: str = "question"
    """Column of the questions."""
    answer: str = "answer"
    """Column with the right answer, or the annotators' most frequent one."""
    answers: str = "answers"
    """Column with the answers of all annotators, for the soft accuracy of VQA v2, if there is one."""
    kind: str = "type"
    """Column with the kind of question, whose accuracies are also given, if there is one."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: Output}, columns=(self.answer,))

    @property
    def columns(self) -> Columns:
        return Columns(self.question, self.answer, self.answers, self.kind)

    def build(self) -> "VQA":
        return VQA(self)


class VQA:
    """Accuracy, VQA v2's soft accuracy, both by kind of question, and macro F1 of chosen answers.

    Generated answers are compared in the spelling of VQA v2's evaluation. Baselines: the most frequent answer
    overall; the most frequent answer to exactly the same question, the best possible without a picture; and, for
    chosen answers, the model itself with the picture or the question of another row, and with the frames of a video
    in random order. The first two are learned from the training rows; if those are not available, only the first is
    given, from the measured rows.
    """

    name = "vqa"
    metrics = (*ANSWERED, MACRO_F1)

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
        """Evaluates one model, or the ensemble of several: the mean of their probabilities."""
        config = self.config
        found = self._predictions(members, dataset, device)
        written = not isinstance(found.values, ClassValues)
        targets = [members[0].targets[name] for name in found.targets]
        columns = replace(config.columns, target=next(iter(targets), None))
        expected = expected_answers(dataset, found.rows, columns, spelling=written)
        guesses, told = guesses_from_words(
            members[0].training, dataset, found.rows, expected, columns
        )
        metrics, how = self._of_classes(found) if not written else ({}, {})
        return measured(self, members, dataset, found, expected, guesses, over="images").extended(
            protocol={
                "questions": len(found),
                "images": len(set(found.groups.tolist())),
                **told,
                **how,
            },
            metrics=metrics,
            leakage=leakage,
            diagnostics=class_diagnostics(
                config,
                found,
                expected,
                dataset,
                members[0].training,
                config.answer,
                columns.name,
            ),
        )

    def _predictions(
        self, members: Sequence[Member], dataset: Dataset, device: torch.device | str
    ) -> Predictions:
        """The head's answers; for chosen answers also with each stream of another row."""
        check_members(members)
        config = self.config
        chosen = isinstance(members[0].model.head(config.head).output, TargetClasses)
        return predict(
            members,
            dataset,
            config.head,
            config.inference,
            targets=[target_of(members, config.head)] if chosen else [],
            swap=chosen,
            selection=Selection(check=config.columns.check),
            device=device,
        )

    def _of_classes(self, found: Predictions) -> tuple[dict[str, Score], dict[str, Any]]:
        """The metrics of chosen answers only, and the entries of the protocol about them."""
        assert isinstance(found.values, ClassValues)
        unknown = int((right_classes(found) < 0).sum())
        told = {"answers_known": len(found.values.classes), "answers_not_known": unknown}
        f1, _ = f1_and_balanced_accuracy(found, self.config.bootstrap(found.groups))
        return {MACRO_F1.name: f1}, told
