"""Explains decisions of runs: for new input, for rows, and for the predictions in a report."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.media import Alternatives
from weft.core.progress import progress
from weft.core.records import Batch, Features
from weft.core.samples import Sample
from weft.core.text import counted
from weft.data.columns import value_of
from weft.data.formats import Dataset
from weft.explain.decision import Decision, NamedNumbers, decision_of
from weft.explain.deletion import Deletion, deletion_test
from weft.explain.explanation import Explanation, Saliency, explain
from weft.explain.method import Method
from weft.explain.presence import by_presence
from weft.inference.results import Prediction, TaskResult
from weft.modalities.parts import shown_by
from weft.report.explanations import Explained, Weighed, Without
from weft.runs.dialogs import ranks, with_best
from weft.runs.reading import as_batches
from weft.runs.trained import TrainedModel

BATCH = 16


@dataclass(frozen=True)
class Explanations:
    """explained: number of a prediction -> its explanation. missing: the reason if there are none, else empty."""

    explained: Mapping[int, Explained] = field(default_factory=dict)
    missing: str = ""


def explain_rows(
    runs: Sequence[TrainedModel],
    rows: Sequence[Sample],
    method: Method = "auto",
    head: str | None = None,
    similarity: tuple[str, str] | None = None,
    given: Collection[str] = (),
) -> list[Explained]:
    """Explains the joint prediction of the runs for each row; see `decision_of` for head, similarity and given.

    For a run that ranks answers, it is the similarity of the row and the best answer.
    A row that lacks a stream is explained by the streams that it has. Raises WeftError if the runs' models make no
    decision, or for an unreadable row.
    """
    if head is None and similarity is None and ranks(runs[0]):
        rows, similarity = with_best(runs[0], rows)
    decisions = [decision_of(run.model, run.learned, head, similarity, given) for run in runs]
    return explain_decisions(runs, decisions, rows, method)


def explain_decisions(
    runs: Sequence[TrainedModel],
    decisions: Sequence[Decision],
    rows: Sequence[Sample],
    method: Method = "auto",
) -> list[Explained]:
    """Explains the joint decision about each row. decisions: one of each run, all of the same kind."""
    found: list[Explained] = []
    for start in range(0, len(rows), BATCH):
        found += _explained(runs, decisions, rows[start : start + BATCH], method)
    return found


def explain_predictions(
    runs: Sequence[TrainedModel], result: TaskResult, dataset: Dataset
) -> Explanations:
    """Explains the displayed predictions of a result."""
    if not result.predictions:
        return Explanations()
    if result.head is None and result.similarity is None:
        return Explanations(
            missing="Not explained: the task names no head and no similarity that it measured."
        )
    rows = [row_of(one, dataset, runs[0].modalities) for one in result.predictions]
    found = explain_rows(runs, rows, head=result.head, similarity=result.similarity)
    return Explanations(dict(enumerate(found)))


def row_of(prediction: Prediction, dataset: Dataset, modalities: Mapping[str, Modality]) -> Sample:
    """Returns the model's input as a row. Each stream may come from another row, or from none."""
    first = dataset[prediction.inputs[0].row]
    items = {}
    for entry in prediction.inputs:
        raw = value_of(dataset[entry.row], entry.stream, modalities.get(entry.stream))
        if isinstance(raw, Alternatives) and entry.alternative is not None:
            raw = raw[entry.alternative]
        items[entry.stream] = raw
    return replace(first, items={**items, **prediction.given})


def similarities_of(run: TrainedModel, head: str | None = None) -> list[tuple[str, str] | None]:
    """Returns what is explained of rows, as `similarity` in `explain_rows`: every pair of the embedded streams for a
    run without heads, [None] for other runs and for runs that rank."""
    if head is not None or run.model.heads or ranks(run):
        return [None]
    return list(itertools.combinations(run.streams, 2)) or [None]


def rows_with(
    run: TrainedModel, rows: Sequence[Sample], pair: tuple[str, str] | None
) -> list[Sample]:
    """Returns the rows that have both streams; all rows for None."""
    return [
        row
        for row in rows
        if all(value_of(row, name, run.modalities.get(name)) is not None for name in pair or ())
    ]


def deletion_of_rows(
    run: TrainedModel,
    rows: Sequence[Sample],
    method: Method = "auto",
    head: str | None = None,
    similarity: tuple[str, str] | None = None,
) -> list[Deletion]:
    """Tests for each stream whether deleting the marked parts lowers the score more than deleting random parts.

    The test uses the plain view of the rows. See `decision_of` for head and similarity.
    """
    if head is None and similarity is None and ranks(run):
        rows, similarity = with_best(run, rows)
    decision = decision_of(run.model, run.learned, head, similarity)
    found: dict[str, list[Batch]] = {}
    for start in range(0, len(rows), BATCH):
        for _, (part,) in by_presence([run.read(rows[start : start + BATCH])]):
            if _decided([decision], [part]):
                for stream in (s for s in part.inputs if s in decision.reads):
                    found.setdefault(stream, []).append(part)
    return [
        deletion_test(decision, _told(batches, stream), stream, method=method)
        for stream, batches in found.items()
    ]


def _told(batches: Sequence[Batch], stream: str) -> Iterator[Batch]:
    """Yields the batches and shows how many of their rows were tested."""
    with progress(f"deletion test of '{stream}'", sum(map(len, batches))) as advance:
        for batch in batches:
            yield batch
            advance(len(batch))


def _explained(
    runs: Sequence[TrainedModel],
    decisions: Sequence[Decision],
    rows: Sequence[Sample],
    method: Method,
) -> list[Explained]:
    """Explains the rows of one batch, which is read once for each model and view."""
    first, found = decisions[0], {}
    views = first.views
    readings = [reading for run in runs for reading in run.readings(rows, views)]
    batches = as_batches(readings, rows, runs[0].device)
    seen = [decision for decision in decisions for _ in range(views)]
    for numbers, parts in by_presence(batches):
        if _decided(seen, parts):
            whole = explain(list(zip(seen, parts, strict=True)), method)
            for place, number in enumerate(numbers):
                one = _row(first, runs[0], parts[0], whole, place)
                found[number] = replace(one, note=_note(len(runs), views))
        else:
            found |= dict.fromkeys(numbers, _undecided(first, parts[0]))
    return [found[number] for number in range(len(rows))]


def _note(models: int, views: int) -> str:
    """Returns the caveat about the marks, or an empty string."""
    counts = [counted(n, what) for n, what in ((models, "model"), (views, "view")) if n > 1]
    return (
        f"answers are those of {' and '.join(counts)}, marks those of the first" if counts else ""
    )


@torch.no_grad()
def _decided(decisions: Sequence[Decision], batches: Sequence[Batch]) -> bool:
    """Whether the rows, which have the same streams, have the inputs of the decision."""
    for decision, batch in zip(decisions, batches, strict=True):
        streams = decision.encode(batch)
        if not streams or not bool(decision.there(streams).all()):
            return False
    return True


def _undecided(decision: Decision, batch: Batch) -> Explained:
    """Returns the text for a row that lacks inputs of the decision."""
    lacks = [s for s in decision.reads if s not in batch.inputs]
    reason = f"no decision without {' and '.join(lacks) or 'tokens'}"
    return Explained(reason, named=True)


def _row(
    decision: Decision, run: TrainedModel, batch: Batch, found: Explanation, row: int
) -> Explained:
    return Explained(
        answer=found.said.said(row),
        score=decision.score_text(float(found.scores[row])),
        parts=[_weighed(run, batch, s, one, row) for s, one in found.streams.items()],
        without=_without(decision, found, row),
        named=isinstance(found.said, NamedNumbers),
    )


def _without(decision: Decision, found: Explanation, row: int) -> list[Without]:
    """Returns the prediction without each stream; empty if every stream is required for an answer."""
    if all(one.said[row] is None for one in found.without.values()):
        return []
    return [
        Without(stream, "no answer", "")
        if (said := one.said[row]) is None
        else Without(stream, said, decision.score_text(float(one.scores[row])))
        for stream, one in found.without.items()
    ]


def _weighed(run: TrainedModel, batch: Batch, stream: str, found: Saliency, row: int) -> Weighed:
    value = batch.inputs[stream]
    if isinstance(value, Features):
        raise WeftError(f"stream '{stream}' was cached, expected raw input")
    weights = found.values[row].detach().float().cpu().view(found.layout)
    shown = shown_by(run.modalities.get(stream))
    return Weighed(stream, found.method, shown.weighed(value.rows(slice(row, row + 1)), weights))
