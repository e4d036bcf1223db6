"""Rows of questions: the right answers, and guesses from the words alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.core.errors import NoTargetError, WeftError
from weft.core.interfaces import Target
from weft.core.samples import Sample
from weft.core.text import normalised
from weft.data.formats import Dataset
from weft.data.targets.classes import class_name
from weft.tasks._accuracy import (
    ACCURACY,
    SOFT_ACCURACY,
    Expected,
    blind_guesses,
    most_common,
    spelled,
)
from weft.tasks._kinds import by_kind

ANSWERED = (
    SOFT_ACCURACY,
    ACCURACY,
    by_kind(SOFT_ACCURACY, "type"),
    by_kind(ACCURACY, "type"),
)
"""The metrics of `Expected` for questions, whose kind is their type."""


@dataclass(frozen=True)
class Columns:
    """The columns of a question, its answer, all annotators' answers, and its kind.

    target: the classes that answers are chosen from, if any.
    """

    question: str
    answer: str
    answers: str
    kind: str
    target: Target | None = None

    def name(self, raw: Any) -> str:
        """Converts a value of the column to an answer."""
        return class_name(raw, self.answer) if self.target is None else spelled(self.target, raw)

    def check(self, sample: Sample) -> None:
        """Raises NoTargetError if the row has no answer."""
        self.read(sample.items, sample.source)

    def read(self, items: Mapping[str, Any], source: str) -> str:
        """The right answer of a row. Raises WeftError if it has none."""
        if items.get(self.answer) is None:
            raise NoTargetError(
                f"has no '{self.answer}', it has: {', '.join(items)}", source=source
            )
        return self.name(items[self.answer])


def expected_answers(
    dataset: Dataset, rows: Sequence[int], columns: Columns, *, spelling: bool = False
) -> Expected:
    """The right answers, see `Expected`. Raises DataError if a row has no answer."""
    samples = [dataset[row] for row in rows]
    annotated = all(isinstance(s.items.get(columns.answers), list) for s in samples)
    kinds = [s.items.get(columns.kind) for s in samples]
    return Expected(
        answers=[columns.read(s.items, s.source) for s in samples],
        given=[s.items[columns.answers] for s in samples] if annotated else None,
        kinds=[str(kind) for kind in kinds] if None not in kinds else None,
        spelling=spelling,
    )


def guesses_from_words(
    training: Dataset | None,
    dataset: Dataset,
    rows: Sequence[int],
    expected: Expected,
    columns: Columns,
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Baseline -> its answer to every row, and the entries of the protocol about them.

    Without training rows only the most frequent answer is known, from the measured rows.
    """
    learned = _question_answers(training, columns)
    if not learned:
        return {"majority": [most_common(expected.answers)] * len(rows)}, {}
    questions = [normalised(str(dataset[row].items.get(columns.question, ""))) for row in rows]
    guesses, unseen = blind_guesses(learned, questions)
    majority = most_common([answer for _, answer in learned])
    said = {"majority": [majority] * len(rows), "question alone": guesses}
    return said, {"questions_not_in_training": unseen}


def _question_answers(training: Dataset | None, columns: Columns) -> list[tuple[str, str]]:
    """(question, answer) of every readable row that has both."""
    found: list[tuple[str, str]] = []
    if training is None:
        return found
    for row in range(len(training)):
        try:
            items = training[row].items
            question = normalised(str(items[columns.question]))
            found.append((question, columns.name(items[columns.answer])))
        except (WeftError, KeyError):
            continue
    return found
