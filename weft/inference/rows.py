"""A data set's rows -> batches as a model reads them, in order, each row once."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from weft.core.errors import DataError, unknown_name
from weft.core.progress import progress
from weft.core.records import Batch, Sample
from weft.data.formats import Dataset
from weft.data.loader import Loader, Source, TargetSource
from weft.inference.config import InferenceConfig
from weft.inference.member import Member

Check = Callable[[Sample], object]
"""Raises DataError for a row that lacks what it is measured by."""
_CHECK = "/check"
"""Names the check among the sources; no stream has a slash in its name."""


class _Checked:
    """A check as a source, so that a row that fails it is a row that cannot be read."""

    def __init__(self, dataset: Dataset, check: Check) -> None:
        self._dataset = dataset
        self._check = check

    def load(self, index: int, **_: Any) -> None:
        self._check(self._dataset[index])

    def collate(self, items: Sequence[Any]) -> None:  # noqa: ARG002
        return None


@dataclass(frozen=True)
class Rows:
    """A batch and the numbers of its rows in the data set."""

    rows: Sequence[int]
    batch: Batch


def read_rows(
    member: Member,
    dataset: Dataset,
    names: Sequence[str],
    config: InferenceConfig,
    *,
    device: torch.device | str = "cpu",
    view: int = 0,
    what: str = "predicting",
    check: Check | None = None,
) -> Iterator[Rows]:
    """Batches of the streams and targets called `names`, seen as evaluation view `view`.

    Rows that cannot be read, or for which `check` raises DataError, are left out where the policy lets
    them pass. Raises WeftError for a name that the member has neither as a stream nor as a target.
    """
    sources = {name: _source(member, dataset, name) for name in names}
    if check is not None:
        sources[_CHECK] = _Checked(dataset, check)
    loader = Loader(
        dataset,
        sources,
        batch_size=config.batch_size,
        seed=0,
        train=False,
        workers=config.workers,
        errors=config.errors,
    )
    places = _places(dataset)
    with progress(what, len(dataset)) as advance:
        for batch in loader.batches_once(view):
            yield Rows([places[name] for name in batch.ids], batch.to(device))
            advance(len(batch))


def _places(dataset: Dataset) -> dict[str, int]:
    """Id -> number of each row that can be read; of the others the loader says so."""
    places: dict[str, int] = {}
    for row in range(len(dataset)):
        with contextlib.suppress(DataError):
            places[dataset[row].id] = row
    return places


def _source(member: Member, dataset: Dataset, name: str) -> Source:
    if name in member.sources:
        return member.sources[name]
    if name not in member.targets:
        raise unknown_name("stream or target", name, [*member.sources, *member.targets])
    return TargetSource(dataset, member.targets[name])
