"""A run's decisions explained: of new input, of rows, and of the predictions in its report."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from weft.core.errors import WeftError
from weft.core.interfaces import NamedParts
from weft.core.records import Batch, Features, Field
from weft.data.formats import Dataset
from weft.explain.decision import HeadDecision, SentenceDecision, Subject
from weft.explain.deletion import Deletion, deletion_test
from weft.explain.explanation import Explanation, Method, Saliency, explain
from weft.explain.presence import by_presence
from weft.heads.output import Part
from weft.heads.texts import text_modality
from weft.inference.embedding import evaluating
from weft.inference.results import TaskResult
from weft.report.explanations import Explained, Heat, Marked, Without
from weft.runs.run import Run

BATCH = 16


def explain_batch(
    run: Run, batch: Batch, method: Method = "auto", head: str | None = None
) -> list[Explained]:
    """One explanation a row of what the head says of it, the first head if none is named.

    A row that lacks a stream is explained by what it has. Raises WeftError where the run's model makes
    no decision.
    """
    subject = Subject.of(run.model, run, head)
    explained: dict[int, Explained] = {}
    for rows, part in by_presence(batch):
        if not _decided(subject, part):
            explained |= dict.fromkeys(rows, _undecided(subject, part))
            continue
        whole = _with_sentences(run, subject, part)
        found = explain(subject, whole, method)
        explained |= {
            row: _row(run, subject, whole, found, place) for place, row in enumerate(rows)
        }
    return [explained[row] for row in range(len(batch))]


@torch.no_grad()
def _decided(subject: Subject, batch: Batch) -> bool:
    """Whether the rows, which have the same streams, have what a decision is made of."""
    streams = subject.encode(batch)
    return bool(streams) and bool(subject.decision.there(subject.model, streams).all())


def _undecided(subject: Subject, batch: Batch) -> Explained:
    """What is shown of a row that lacks what the decision is made of."""
    lacks = [s for s in subject.decision.reads(subject.model) if s not in batch.inputs]
    return Explained(f"no decision without {' and '.join(lacks) or 'tokens'}", 0.0, [], [])


def explain_rows(
    run: Run,
    dataset: Dataset,
    rows: Sequence[int],
    method: Method = "auto",
    head: str | None = None,
) -> list[Explained]:
    """One explanation for each of these rows of a data set."""
    return [
        explained
        for batch in _batches(run, dataset, rows)
        for explained in explain_batch(run, batch, method, head)
    ]


def explain_predictions(run: Run, result: TaskResult, dataset: Dataset) -> dict[int, Explained]:
    """Number of a prediction -> what it rests on; none where no head was measured."""
    if not result.predictions or result.head is None:
        return {}
    rows = [one.inputs[0].row for one in result.predictions]
    return dict(enumerate(explain_rows(run, dataset, rows, head=result.head)))


def deletion_of_rows(
    run: Run,
    dataset: Dataset,
    rows: Sequence[int],
    method: Method = "auto",
    head: str | None = None,
) -> list[Deletion]:
    """Of each stream: does deleting what is marked cost more than deleting at random?"""
    subject = Subject.of(run.model, run, head)
    found: dict[str, list[Batch]] = {}
    for batch in _batches(run, dataset, rows):
        for _, part in by_presence(batch):
            if _decided(subject, part):
                for stream in part.inputs:
                    found.setdefault(stream, []).append(_with_sentences(run, subject, part))
    return [
        deletion_test(subject, batches, stream, method=method) for stream, batches in found.items()
    ]


def _batches(run: Run, dataset: Dataset, rows: Sequence[int]) -> Iterator[Batch]:
    for start in range(0, len(rows), BATCH):
        yield run.read([dataset[row] for row in rows[start : start + BATCH]])


def _with_sentences(run: Run, subject: Subject, batch: Batch) -> Batch:
    """The batch with what the head writes about each row, where it writes."""
    decision = subject.decision
    if not isinstance(decision, SentenceDecision):
        return batch
    text = text_modality(run.modalities, decision.text)
    head = run.model.head(decision.head)
    with evaluating(run.model, run.device, "fp32"):
        context = head.reads(run.model.fuse(subject.encode(batch)))
        written = head.output.read([Part(head.decoder, context, run)])
    sentences = [written.said(row) for row in range(len(batch))]
    field = text.collate([torch.tensor(text.encode(sentence)) for sentence in sentences])
    return batch.with_inputs(**{decision.text: field.to(run.device)})


def _row(run: Run, subject: Subject, batch: Batch, found: Explanation, row: int) -> Explained:
    def name(output: torch.Tensor) -> str:
        if isinstance(subject.decision, SentenceDecision):
            return _sentence(run, batch, subject.decision.text, row)
        number = int(output[row])
        names = subject.decision.names
        return names[number] if number < len(names) else f"output {number}"

    return Explained(
        answer=name(found.chosen),
        score=float(found.scores[row]),
        parts=[_part(run, batch, s, one, row) for s, one in found.streams.items()],
        without=[
            Without(stream, name(one.chosen), float(one.scores[row]))
            for stream, one in found.without.items()
            if isinstance(subject.decision, HeadDecision)
        ],
    )


def _sentence(run: Run, batch: Batch, stream: str, row: int) -> str:
    field = batch.inputs[stream]
    if not isinstance(field, Field) or field.mask is None:
        raise ValueError(f"'{stream}' holds no token ids with a mask")
    ids: list[int] = field.values[row][field.mask[row]].tolist()
    return text_modality(run.modalities, stream).decode_ids(ids)


def _part(run: Run, batch: Batch, stream: str, found: Saliency, row: int) -> Heat | Marked:
    values = found.values[row].detach().float().cpu()
    value = batch.inputs[stream]
    if isinstance(value, Features):
        raise WeftError(f"stream '{stream}' was cached, expected raw input")
    if found.grid is not None:
        picture = _pixels(value.values[row].cpu())
        return Heat(stream, found.method, picture, values.view(found.grid).numpy())
    modality = run.modalities.get(stream)
    if isinstance(modality, NamedParts):
        names = modality.names_of(value.values[row].cpu())
    else:
        names = [str(number + 1) for number in range(len(values))]
    real = [True] * len(values) if value.mask is None else value.mask[row].tolist()
    kept = [
        (name, weight)
        for name, weight, is_real in zip(names, values.tolist(), real, strict=True)
        if is_real and name is not None
    ]
    return Marked(stream, found.method, kept)


def _pixels(values_CHW: torch.Tensor) -> np.ndarray:
    """(H, W, 3) uint8: pictures as they are; of other values with places the mean of the channels, from
    the least as black to the most as white."""
    if values_CHW.dtype != torch.uint8 or values_CHW.shape[0] != 3:
        grey_1HW = values_CHW.float().mean(0, keepdim=True)
        low, high = grey_1HW.min(), grey_1HW.max()
        values_CHW = (
            ((grey_1HW - low) * (255 / (high - low).clamp_min(1e-12))).byte().expand(3, -1, -1)
        )
    return np.asarray(values_CHW.permute(1, 2, 0).numpy())
