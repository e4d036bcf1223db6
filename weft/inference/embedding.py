"""Computes Features or embeddings of a data set's entries with several models; each entry is read once for all
models.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import DataError, unknown_name
from weft.core.memory import return_free_memory
from weft.core.once import once
from weft.core.precision import Precision, autocast
from weft.core.progress import progress
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.ahead import batches, loaded_ahead, windows
from weft.data.columns import row_of
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.inference.config import InferenceConfig
from weft.inference.member import Entry, Member, ViewedSource
from weft.inference.rows import PREFETCHED_BATCHES, holds_much

Key = TypeVar("Key")
SORTED_BATCHES = 64
"""Batches of short entries that are loaded together before they are sorted by length."""


@dataclass(frozen=True)
class Embedded:
    """vectors: (N, E) for each member, unit length, float32, on the CPU. entries: the N entries that could be read."""

    vectors: tuple[Tensor, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class View:
    """One view of the entry at `place`."""

    place: int
    row: int
    view: int


Taker = Callable[[Sequence[View], Features], None]
"""A function that gets the Features of a batch of views, one row per view."""


def embed_entries(
    members: Sequence[Member],
    entries: Sequence[Entry],
    dataset: Dataset,
    config: InferenceConfig,
    bad: BadRows,
    device: torch.device | str = "cpu",
) -> Embedded:
    """Embeds `entries`, all of one stream. The embedding of an entry without an alternative is the mean over all
    its views.

    The mean of unit vectors is normalised to unit length again. Rows that cannot be read go to `bad`; rows that it
    skips are missing from the result.
    """
    embeddings = [Embeddings(member.model, entries) for member in members]
    takers = [(member, [found.add]) for member, found in zip(members, embeddings, strict=True)]
    read = encode_entries(takers, entries, dataset, config, bad, device)
    return Embedded(
        tuple(found.unit(read) for found in embeddings),
        tuple(entry for entry, there in zip(entries, read.tolist(), strict=True) if there),
    )


class Embeddings:
    """Sums over views of the embeddings of N entries."""

    def __init__(self, model: Model, entries: Sequence[Entry]) -> None:
        self._model = model
        self._entries = entries
        self._total_NE = torch.zeros(len(entries), 0)

    def add(self, views: Sequence[View], features: Features) -> None:
        """Adds the embeddings of these views."""
        vectors = self._model.embed(self._entries[0].stream, features).cpu()
        if not self._total_NE.shape[1]:
            self._total_NE = torch.zeros(len(self._entries), vectors.shape[1])
        self._total_NE.index_add_(0, torch.tensor([view.place for view in views]), vectors)

    def unit(self, read_N: Tensor) -> Tensor:
        """(R, E) the entries that could be read, normalised to unit length."""
        return F.normalize(self._total_NE[read_N], dim=-1)


def encode_entries(
    takers: Sequence[tuple[Member, Sequence[Taker]]],
    entries: Sequence[Entry],
    dataset: Dataset,
    config: InferenceConfig,
    bad: BadRows,
    device: torch.device | str,
) -> Tensor:
    """Encodes `entries`, all of one stream, with each member, and passes the Features to its takers.

    An entry without an alternative is encoded in all its views. A view that one of the members cannot read is
    passed to none of them. Returns (N,) bool: the entries all of whose views could be read.
    """
    read_N = torch.ones(len(entries), dtype=torch.bool)
    if not entries:
        return read_N
    stream = entries[0].stream
    sources = [_source(member, stream) for member, _ in takers]
    views = _views_of(entries, sources[0])
    with contextlib.ExitStack() as modes:
        for member, _ in takers:
            modes.enter_context(evaluating(member.model, device, config.precision))
        advance = modes.enter_context(progress(f"encoding '{stream}'", len(views)))
        for window in _windows(views, sources, dataset, bad, config):
            failed = [view.place for view, values in window if isinstance(values, DataError)]
            read_N[failed] = False
            loaded = [one for one in window if not isinstance(one[1], DataError)]
            for n, (member, take) in enumerate(takers):
                of_member = [(view, values[n]) for view, values in loaded]
                for batch in by_length(of_member, config):
                    inputs = _inputs(sources[n].collate([value for _, value in batch]), device)
                    features = member.model.encode(stream, inputs)
                    for one in take:
                        one([view for view, _ in batch], features)
                    if holds_much(batch, config):
                        return_free_memory()  # see `read_rows`
            advance(len(window))
    return read_N


@contextlib.contextmanager
def evaluating(model: Model, device: torch.device | str, precision: Precision) -> Iterator[None]:
    """Within it the model is in evaluation mode without gradients; its former mode is restored afterwards."""
    training = [module for module in model.modules() if module.training]
    if training:
        model.eval()
    try:
        with torch.inference_mode(), autocast(precision, device):
            yield
    finally:
        for module in training:
            module.training = True


def _source(member: Member, stream: str) -> ViewedSource:
    if stream not in member.sources:
        raise unknown_name("stream of the member", stream, member.sources)
    return member.sources[stream]


def _views_of(entries: Sequence[Entry], source: ViewedSource) -> list[View]:
    """The alternative that each entry names, or all its views."""
    found: list[View] = []
    for place, entry in enumerate(entries):
        views = range(source.views(entry.row)) if entry.alternative is None else [entry.alternative]
        found += [View(place, entry.row, view) for view in views]
    return found


def _inputs(collated: Any, device: torch.device | str) -> Field | Features:
    if not isinstance(collated, Field | Features):
        raise ValueError(f"a source gave a {type(collated).__name__}, expected Field or Features")
    return collated.to(device)


def _windows(
    views: Sequence[View],
    sources: Sequence[ViewedSource],
    dataset: Dataset,
    bad: BadRows,
    config: InferenceConfig,
) -> Iterator[list[tuple[View, Any]]]:
    """Views with the values from each source, or the error; the views of one row are read together.

    Padding of sequences is expensive: a window is SORTED_BATCHES batches, or as many as fit into the limit of
    bytes.
    """
    generator = torch.Generator()

    def load(view: View) -> list[Any] | DataError:
        try:
            return [
                source.load(view.row, train=False, generator=generator, view=view.view)
                for source in sources
            ]
        except DataError as error:
            bad.add(error, _sample(dataset, view.row))
            return error

    def load_row(of_row: Sequence[View]) -> list[list[Any] | DataError]:
        with once():
            return [load(view) for view in of_row]

    def most(values: list[Any] | DataError) -> int:
        sequence = isinstance(values, list) and any(
            isinstance(value, Tensor) and value.ndim == 1 for value in values
        )
        return config.batch_size * (SORTED_BATCHES if sequence else 1)

    rows = (list(of_row) for _, of_row in groupby(views, key=lambda view: view.row))
    ahead = PREFETCHED_BATCHES * config.batch_size
    loaded = loaded_ahead(load_row, rows, workers=config.workers, most=ahead)
    pairs = (pair for of_row, values in loaded for pair in zip(of_row, values, strict=True))
    return windows(pairs, most=most)


def _sample(dataset: Dataset, row: int) -> Sample | None:
    try:
        return row_of(dataset, row)
    except DataError:
        return None


def by_length(
    window: Sequence[tuple[Key, Any]], config: InferenceConfig
) -> Iterator[list[tuple[Key, Any]]]:
    """The pairs in batches whose values have similar lengths, since padding is expensive."""
    ordered = sorted(window, key=lambda pair: len(pair[1]) if isinstance(pair[1], Tensor) else 0)
    yield from batches(ordered, most=config.batch_size, most_bytes=config.batch_bytes)
