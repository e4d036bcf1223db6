"""A data set's items -> embeddings, each item once."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import DataError
from weft.core.precision import Precision, autocast
from weft.core.progress import progress
from weft.core.records import Features, Field, Sample
from weft.data.ahead import loaded_ahead, windows
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.inference.config import InferenceConfig
from weft.inference.member import Item, ViewedSource

SORTED_BATCHES = 64
"""So many batches of short items are loaded before they are put in order of length."""

PREFETCHED_BATCHES = 2


@dataclass(frozen=True)
class Embedded:
    """vectors: (N, E), unit length, float32, on the CPU. items: the N that could be read."""

    vectors: Tensor
    items: tuple[Item, ...]


@dataclass(frozen=True)
class View:
    """One view of the item at `place`."""

    stream: str
    place: int
    row: int
    view: int


def embed_items(
    model: Model,
    source: ViewedSource,
    items: Sequence[Item],
    dataset: Dataset,
    config: InferenceConfig,
    bad: BadRows,
    device: torch.device | str = "cpu",
) -> Embedded:
    """Embeds `items`, all of one stream. An item that names no view is the mean of all its views.

    The mean of unit vectors is brought back to unit length. Rows that cannot be read go to `bad`;
    those that it lets pass are missing from the result.
    """
    if not items:
        return Embedded(torch.zeros(0, 0), ())
    stream = items[0].stream
    # Sums over views; an item is left out if any of its views is.
    total_NE: Tensor | None = None
    unread = torch.zeros(len(items), dtype=torch.bool)
    views = views_of(items, source)
    with (
        evaluating(model, device, config.precision),
        progress(f"embedding '{stream}'", len(views)) as advance,
    ):
        for batch, features, failed in encode_views(
            model, source, views, dataset, config, bad, device
        ):
            unread[[view.place for view in failed]] = True
            if features is not None:
                vectors = model.embed(stream, features).cpu()
                if total_NE is None:
                    total_NE = torch.zeros(len(items), vectors.shape[1])
                total_NE.index_add_(0, torch.tensor([view.place for view in batch]), vectors)
            advance(len(batch) + len(failed))
    if total_NE is None:
        return Embedded(torch.zeros(0, 0), ())
    kept = tuple(item for item, missing in zip(items, unread.tolist(), strict=True) if not missing)
    return Embedded(F.normalize(total_NE[~unread], dim=-1), kept)


def encode_views(
    model: Model,
    source: ViewedSource,
    views: Sequence["View"],
    dataset: Dataset,
    config: InferenceConfig,
    bad: BadRows,
    device: torch.device | str,
) -> Iterator[tuple[list["View"], Features | None, list["View"]]]:
    """Batches of views with their Features, None for an empty one, and those that cannot be read."""
    for batch, failed in _batches(views, source, dataset, bad, config):
        features = None
        if batch:
            inputs = _inputs(source.collate([value for _, value in batch]), device)
            features = model.encode(views[0].stream, inputs)
        yield [view for view, _ in batch], features, failed


@contextlib.contextmanager
def evaluating(model: Model, device: torch.device | str, precision: Precision) -> Iterator[None]:
    """The model in evaluation mode without gradients; its mode is put back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode(), autocast(precision, device):
            yield
    finally:
        for module, training in modes:
            module.training = training


def views_of(items: Sequence[Item], source: ViewedSource) -> list[View]:
    """The view that each item names, or all that it has."""
    found: list[View] = []
    for place, item in enumerate(items):
        views = range(source.views(item.row)) if item.view is None else [item.view]
        found += [View(item.stream, place, item.row, view) for view in views]
    return found


def _inputs(collated: Any, device: torch.device | str) -> Field | Features:
    if not isinstance(collated, Field | Features):
        raise ValueError(f"a source gave a {type(collated).__name__}, expected Field or Features")
    return collated.to(device)


def _batches(
    views: Sequence[View],
    source: ViewedSource,
    dataset: Dataset,
    bad: BadRows,
    config: InferenceConfig,
) -> Iterator[tuple[list[tuple[View, Any]], list[View]]]:
    """Batches of loaded views, and those that could not be read.

    Sequences are dear to pad: SORTED_BATCHES of them, or as many as there is room for, are loaded and put
    in order of length first.
    """

    def load(view: View) -> Any:
        generator = torch.Generator()
        try:
            return source.load(view.row, train=False, generator=generator, view=view.view)
        except DataError as error:
            bad.add(error, _sample(dataset, view.row))
            return error

    def most(value: Any) -> int:
        sequence = isinstance(value, Tensor) and value.ndim == 1
        return config.batch_size * (SORTED_BATCHES if sequence else 1)

    ahead = PREFETCHED_BATCHES * config.batch_size
    loaded = loaded_ahead(load, views, workers=config.workers, most=ahead)
    failed: list[View] = []
    for part in windows(loaded, most=most):
        failed += [view for view, value in part if isinstance(value, DataError)]
        read = [(view, value) for view, value in part if not isinstance(value, DataError)]
        yield from ((batch, []) for batch in _by_length(read, config.batch_size))
    yield [], failed


def _sample(dataset: Dataset, row: int) -> Sample | None:
    try:
        return dataset[row]
    except DataError:
        return None


def _by_length(window: list[tuple[View, Any]], batch_size: int) -> Iterator[list[tuple[View, Any]]]:
    window.sort(key=lambda pair: len(pair[1]) if isinstance(pair[1], Tensor) else 0)
    for start in range(0, len(window), batch_size):
        yield window[start : start + batch_size]
