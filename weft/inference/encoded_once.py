"""Encodes a member's rows once, so that a task can be measured many times without encoding them again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from weft.core.errors import DataError
from weft.core.records import Features, Field
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.data.presence import collate_present
from weft.inference.config import InferenceConfig
from weft.inference.encoded import KeptFeatures, encode_rows, evaluating_all
from weft.inference.member import Member, ViewedSource
from weft.inference.other_encoding import encoding_by
from weft.inference.rows import Reading, Selection


def encoded_once(
    member: Member,
    dataset: Dataset,
    streams: Sequence[str],
    config: InferenceConfig,
    device: torch.device | str = "cpu",
    rows: Sequence[int] | None = None,
) -> Member:
    """A member that reads the stored Features of these streams, for each row and evaluation view.

    rows: numbers of the rows that will be read; None: all. The Features are in temporary files that are deleted with the
    member. Fusion, projections and decoders still run in every measurement.
    """
    wanted = range(len(dataset)) if rows is None else rows
    found = {
        s: _kept(member, dataset, wanted, s, config, device) for s in member.sources if s in streams
    }

    def kept(stream: str, value: Field | Features) -> Features | None:
        return value if stream in found and isinstance(value, Features) else None

    model = encoding_by(member.model, kept)
    return replace(member, model=model, sources={**member.sources, **found})


@dataclass(frozen=True)
class _KeptSource:
    """places: (row, view) -> row number in the features; None if the row lacks the stream."""

    source: ViewedSource
    places: dict[tuple[int, int], int | None]
    features: KeptFeatures

    def views(self, index: int) -> int:
        return self.source.views(index)

    def load(self, index: int, *, train: bool, generator: torch.Generator, view: int) -> int | None:
        key = (index, view) if (index, view) in self.places else (index, 0)
        if key not in self.places:
            self.source.load(index, train=train, generator=generator, view=view)  # says why
            raise DataError("could not be encoded", source=f"row {index}")
        return self.places[key]

    def collate(self, items: Sequence[int | None]) -> Field | Features | None:
        return collate_present(items, lambda rows: self.features.take(torch.tensor(rows)))


def _kept(
    member: Member,
    dataset: Dataset,
    rows: Sequence[int],
    stream: str,
    config: InferenceConfig,
    device: torch.device | str,
) -> _KeptSource:
    """Encodes and stores the stream. Rows that cannot be read are skipped; whoever reads them later gets the error."""
    found = _KeptSource(member.sources[stream], {}, KeptFeatures())
    lenient = config.replace(errors=ErrorPolicy("skip", limit=1.0))
    view = 0
    with evaluating_all([member], config, device):
        while rows:
            reader = (member, Reading.of(member, dataset, [stream], view))
            chosen = Selection([(row,) for row in rows])
            what = f"encoding '{stream}'"
            for read in encode_rows([reader], dataset, lenient, chosen, device=device, what=what):
                _add(found, read.numbers, view, read.streams[0].get(stream))
            view += 1
            there = [row for row in rows if found.places.get((row, view - 1)) is not None]
            rows = [row for row in there if found.source.views(row) > view]
    return found


def _add(found: _KeptSource, rows: Sequence[int], view: int, features: Features | None) -> None:
    """Stores the features of a batch's rows; features is None if no row of the batch has the stream."""
    there = [] if features is None else features.present.nonzero()[:, 0].tolist()
    first = len(found.features)
    found.places.update(dict.fromkeys(((row, view) for row in rows), None))
    found.places.update({(rows[n], view): first + k for k, n in enumerate(there)})
    if features is not None and there:
        found.features.add(features.take(torch.tensor(there, device=features.tokens.device)))
