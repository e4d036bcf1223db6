"""Rows in a model's embedding space: a map of the measured rows, and the nearest training rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.naming import shown
from weft.core.records import Features
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.evaluation.projection import tsne
from weft.explain.decision import HeadDecision
from weft.heads.output import Targeted
from weft.inference.config import InferenceConfig
from weft.inference.encoded import encode_rows, evaluating_all
from weft.inference.results import TaskResult
from weft.inference.rows import Reading, Selection
from weft.report.embedding_map import EmbeddingMap, MapPoint, Neighbours
from weft.runs.trained import TrainedModel

MAPPED = 120
"""Number of measured rows on the map."""
SEARCHED = 500
"""Number of training rows in which the nearest are searched."""
QUERIES, NEAREST = 3, 5
RANGES = 4
"""Number of groups for a column of many numbers, so that each group has a colour on the map."""
READING = InferenceConfig(batch_size=64, errors=ErrorPolicy("skip", limit=1.0))


@dataclass(frozen=True)
class Embeddings:
    """rows: R row numbers. vectors: (R, E), unit length, on the CPU."""

    rows: Sequence[int]
    vectors: Tensor


def embeddings(
    run: TrainedModel, dataset: Dataset, rows: Sequence[int], head: str | None
) -> dict[str, Embeddings]:
    """Returns stream -> the embeddings of these rows. For a head, the key "" has its features of all streams
    together.

    Rows that cannot be read, or lack the streams, are left out.
    """
    member = run.member(dataset)
    model = run.model
    names = model.streams_of(head) if head else run.streams
    read = [name for name in names if name in member.sources]
    found: dict[str, tuple[list[int], list[Tensor]]] = {}
    if not read or not rows:
        return {}
    reader = (member, Reading.of(member, dataset, read))
    selection = Selection([(row,) for row in rows])
    with evaluating_all([member], READING, run.device):
        for batch in encode_rows(
            [reader], dataset, READING, selection, device=run.device, what="mapping"
        ):
            for name, (there_B, vectors_BE) in _embedded(run, batch.streams[0], head).items():
                numbers, vectors = found.setdefault(name, ([], []))
                numbers += [batch.numbers[row] for row in there_B.nonzero()[:, 0].tolist()]
                vectors.append(F.normalize(vectors_BE[there_B].float(), dim=-1).cpu())
    return {name: Embeddings(n, torch.cat(v)) for name, (n, v) in found.items() if n}


def _embedded(
    run: TrainedModel, streams: Mapping[str, Features], head: str | None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Returns name -> (B,) whether the row has it, (B, E) the embeddings."""
    if head is None:
        return {
            s: (features.present, run.model.embed(s, features)) for s, features in streams.items()
        }
    decision = HeadDecision(run.model, run.learned, head)
    if not streams or not bool((there_B := decision.there(streams)).any()):
        return {}
    return {"": (there_B, decision.part(streams).context.pooled)}


def embedding_map(
    run: TrainedModel, result: TaskResult, dataset: Dataset, *, seed: int = 0
) -> EmbeddingMap | None:
    """Returns a map of randomly sampled rows; None if the model embeds none of them."""
    rows = drawn(len(dataset), MAPPED, seed)
    found = embeddings(run, dataset, rows, result.head)
    if not found:
        return None
    centred = [one.vectors - one.vectors.mean(dim=0) for one in found.values()]
    points = tsne(np.asarray(torch.cat(centred).double().numpy()))
    column = target_column(run, result.head)
    places = [(row, stream) for stream, one in found.items() for row in one.rows]
    made = [
        MapPoint(row, stream, float(x), float(y), _group(dataset, row, stream, column))
        for (row, stream), (x, y) in zip(places, points, strict=True)
    ]
    made.sort(key=lambda point: point.row)
    made = _in_ranges(made)
    groups = [point.group for point in made]
    order = sorted(dict.fromkeys(groups), key=lambda group: -groups.count(group))
    return EmbeddingMap(made, order, _note(len(set(rows)), list(found)))


def _in_ranges(points: list[MapPoint]) -> list[MapPoint]:
    """If the groups are many different numbers, replaces each by the range of its quantile bin."""
    try:
        numbers_N = np.array([float(point.group) for point in points])
    except ValueError:
        return points
    if len(np.unique(numbers_N)) <= RANGES + 1:
        return points
    cuts = np.unique(np.quantile(numbers_N, np.arange(1, RANGES) / RANGES))
    place_N = np.searchsorted(cuts, numbers_N)
    names = {}
    for place in np.unique(place_N):
        inside = numbers_N[place_N == place]
        names[place] = f"{inside.min():.6g} – {inside.max():.6g}"
    return [
        replace(point, group=names[place]) for point, place in zip(points, place_N, strict=True)
    ]


def _note(rows: int, names: Sequence[str]) -> str:
    what = "the model's joint vectors of all streams" if names == [""] else "embeddings"
    mean = ", the mean of each stream subtracted" if len(names) > 1 else ""
    return (
        f"t-SNE of {what} of {rows:,} measured rows, sampled at random{mean}. Rows that lie side by side are "
        "similar for the model; long distances and directions mean nothing."
    )


def nearest(
    run: TrainedModel, result: TaskResult, dataset: Dataset, training: Dataset, *, seed: int = 0
) -> list[Neighbours]:
    """Returns the training rows most similar to the worst errors of the result, among SEARCHED randomly sampled rows."""
    asked = _asked(result)[:QUERIES]
    if not asked:
        return []
    known = embeddings(run, training, drawn(len(training), SEARCHED, seed), result.head)
    found = embeddings(run, dataset, asked, result.head)
    stream = next((name for name in found if name in known), None)
    if stream is None:
        return []
    queries, gallery = found[stream], known[stream]
    best = (queries.vectors @ gallery.vectors.T).topk(min(NEAREST, len(gallery.rows)), dim=1)
    return [
        Neighbours(
            row,
            [
                (gallery.rows[place], value)
                for place, value in zip(places.tolist(), values.tolist(), strict=True)
            ],
        )
        for row, places, values in zip(queries.rows, best.indices, best.values, strict=True)
    ]


def _asked(result: TaskResult) -> list[int]:
    """Returns the rows of the worst errors; if there are none, those of the other examples."""
    worst = [one.inputs[0].row for one in result.worst if one.inputs]
    worst += [one.query.row for some in result.worst_examples.values() for one in some]
    shown = [one.inputs[0].row for one in result.predictions if one.inputs]
    shown += [one.query.row for some in result.examples.values() for one in some]
    return list(dict.fromkeys(worst or shown))


def drawn(rows: int, most: int, seed: int) -> list[int]:
    """Samples at most `most` row numbers without replacement, sorted."""
    generator = torch.Generator().manual_seed(seed)
    chosen: list[int] = torch.randperm(rows, generator=generator)[:most].tolist()
    return sorted(chosen)


def target_column(run: TrainedModel, head: str | None) -> str | None:
    """Returns the column that the head predicts, if any."""
    output = run.model.head(head).output if head else None
    target = output.target if isinstance(output, Targeted) else None
    return run.targets[target].column if target is not None and target in run.targets else None


def _group(dataset: Dataset, row: int, stream: str, column: str | None) -> str:
    """Returns the row's value in the column, or the stream if there is no column."""
    if stream or column is None:
        return stream or "rows"
    try:
        value = dataset[row].items.get(column)
    except WeftError:
        return "none"
    return "none" if value is None else shown(value)
