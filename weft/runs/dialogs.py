"""Asks a run several questions in sequence. Each answer takes the previous questions and answers into account."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.inference.candidates import OWN, ByCosine, score_candidates
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.member import Member
from weft.modalities.history import History, said_before
from weft.modalities.text import Text
from weft.runs.measure import training_rows
from weft.runs.trained import TrainedModel
from weft.tasks.dialog import DialogConfig

Answers = list[tuple[str, float | None]]
"""Answers in descending order, with their probabilities or cosines if there are any."""


def streams_asked(run: TrainedModel, head: str | None) -> tuple[str, ...]:
    """Returns the streams that an answer reads: those of the head, by default the first."""
    ranked = head is None and ranks(run)
    return run.model.fused_streams if ranked else run.model.streams_of(run.head(head))


def ranks(run: TrainedModel) -> bool:
    """Whether the run has no head and ranks the answers of its training rows."""
    return _ranking(run) is not None


def question_stream(run: TrainedModel, streams: Iterable[str]) -> str | None:
    """Returns the first of these streams that can be a question: a text, but not the history. None if there is none."""
    texts = (s for s in run.modalities if s in set(streams) and isinstance(run.modalities[s], Text))
    return next((s for s in texts if not isinstance(run.modalities[s], History)), None)


def history_stream(run: TrainedModel) -> str | None:
    """Returns the stream of the dialog history; None if the run reads none."""
    return next((s for s, m in run.modalities.items() if isinstance(m, History)), None)


def asked_after(
    run: TrainedModel, values: Mapping[str, Any], question: str, turns: Sequence[Any]
) -> dict[str, Any]:
    """Returns the values with this question and, as history, these turns, the oldest first.

    Raises WeftError if the run reads no question, or if there are turns but it reads no history.
    """
    asked, history = question_stream(run, run.modalities), history_stream(run)
    if asked is None:
        raise WeftError(f"{run.folder}: this run reads no text, so nothing can be asked")
    if turns and history is None:
        raise WeftError(
            f"got {len(turns) + 1} questions, expected 1: the run {run.folder} does not read earlier turns of a "
            "dialog"
        )
    found = {**values, asked: question}
    return {**found, history: said_before(turns)} if turns and history is not None else found


def converse(
    run: TrainedModel, values: Mapping[str, Any], further: Sequence[str], head: str | None, k: int
) -> Iterator[Answers]:
    """Yields the k best answers to `values`, then to each further question about the same picture, with the history.

    values: stream -> its value. Raises WeftError for further questions if the run reads no history.
    """
    question, history = question_stream(run, values), history_stream(run)
    if further and (history is None or question is None):
        raise WeftError(
            f"got {len(further) + 1} questions, expected 1: the run {run.folder} does not read earlier turns of a "
            "dialog"
        )
    found = answers(run, values, head, k)
    yield found
    turns: list[Any] = [values[history]] if history is not None and history in values else []
    for asked in further:
        assert question is not None
        turns.append({"question": values[question], "answer": found[0][0]})
        values = asked_after(run, values, asked, turns)
        found = answers(run, values, head, k)
        yield found


def answers(run: TrainedModel, values: Mapping[str, Any], head: str | None, k: int) -> Answers:
    """Returns the k best answers of the head, by default the first. A run that ranks chooses from its training rows'
    answers."""
    if head is not None or not ranks(run):
        return run.predict(head=run.head(head), **values).values.best(0, k)
    _, rows = run.values(**values)
    return rank(run, rows).best(0, k)


@dataclass(frozen=True)
class Ranked:
    """The answers of N rows that a run chose. rows: their numbers. answers: all answers of each row, the best first,
    with their cosines."""

    rows: Sequence[int]
    answers: Sequence[Answers]

    def best(self, row: int, k: int) -> Answers:
        return self.answers[row][:k]


def rank(
    run: TrainedModel,
    rows: Dataset,
    config: InferenceConfig | None = None,
    check: Callable[[Sample], None] = lambda _: None,
) -> Ranked:
    """Ranks the candidates of each row or, where a row has none, the answers of the training rows.

    check: raises DataError for a row that is not ranked. Raises WeftError if the run ranks no answers, or no row can
    be read.
    """
    task = _ranking(run)
    if task is None:
        raise WeftError(f"{run.folder}: this run ranks no answers")
    names, ranker = _ranked(run, task)
    columns = replace(task.columns, common=tuple(names))

    def candidates(sample: Sample) -> Sequence[str]:
        check(sample)
        return columns.choices(sample)

    config = config or InferenceConfig(batch_size=BATCH, workers=0)
    found = score_candidates(
        [run.reading(rows)], rows, candidates, ranker, config, device=run.device
    )
    answers: list[Answers] = []
    for row, scores in zip(found.rows, found.scores[OWN], strict=True):
        own = columns.choices(rows[row])
        order = scores.argsort(descending=True, stable=True).tolist()
        answers.append([(own[place], float(scores[place])) for place in order])
    return Ranked(found.rows, answers)


def with_best(run: TrainedModel, rows: Sequence[Sample]) -> tuple[list[Sample], tuple[str, str]]:
    """Returns the rows with the best answer in the column of the answer, and the pair of embeddings whose similarity
    decided. Raises WeftError as `rank` does."""
    task, ranked = _ranking(run), rank(run, rows)
    assert task is not None  # otherwise `rank` has raised
    best = dict(zip(ranked.rows, ranked.answers, strict=True))
    chosen = [
        replace(one, items={**one.items, task.answer: best[row][0][0]}) if row in best else one
        for row, one in enumerate(rows)
    ]
    return chosen, (JOINT, task.answer)


_RANKED: weakref.WeakKeyDictionary[TrainedModel, tuple[list[str], ByCosine]] = (
    weakref.WeakKeyDictionary()
)
"""Run -> the answers that it ranks. They are read and embedded once for all questions."""


def _ranked(run: TrainedModel, task: DialogConfig) -> tuple[list[str], ByCosine]:
    if run not in _RANKED:
        rows = training_rows(run)
        names = sorted(task.columns.answers(rows)) if rows is not None else []
        if not names:
            raise WeftError(
                f"{run.folder}: the training rows, whose answers are ranked, cannot be read"
            )
        member = Member(run.model, {}, run.learned)
        config = InferenceConfig(batch_size=BATCH, workers=0)
        _RANKED[run] = names, ByCosine([member], task.answer, config, run.device)
    return _RANKED[run]


def _ranking(run: TrainedModel) -> DialogConfig | None:
    """Returns the task of a run that ranks answers and has no head."""
    tasks = run.recipe.tasks.values()
    found = (t for t in tasks if isinstance(t, DialogConfig) and t.head is None)
    return None if run.model.heads else next(found, None)
