"""A data set's rows -> batches as a model reads them, in order, each row once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from weft.core.config import Settings
from weft.core.errors import unknown_name
from weft.core.precision import Precision
from weft.core.progress import progress
from weft.core.records import Batch
from weft.data.formats import Dataset
from weft.data.loader import Loader, Source, TargetSource
from weft.data.policy import ErrorPolicy
from weft.inference.member import Member


@dataclass(frozen=True)
class RowsConfig(Settings):
    """How a model is run over the rows of a data set."""

    batch_size: int = 256
    """Rows at once."""
    workers: int = 2
    """Threads that read ahead."""
    precision: Precision = "fp32"
    """Of the model."""
    errors: ErrorPolicy = field(default_factory=ErrorPolicy)
    """What happens to a row that cannot be read."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.workers < 0:
            raise ValueError(
                f"batch_size is {self.batch_size} and workers {self.workers}, "
                "expected at least 1 and 0"
            )


@dataclass(frozen=True)
class Rows:
    """A batch and the numbers of its rows in the data set."""

    rows: Sequence[int]
    batch: Batch


def read_rows(
    member: Member,
    dataset: Dataset,
    names: Sequence[str],
    config: RowsConfig,
    *,
    device: torch.device | str = "cpu",
    view: int = 0,
    what: str = "predicting",
) -> Iterator[Rows]:
    """Batches of the streams and targets called `names`, seen as evaluation view `view`.

    Rows that cannot be read are left out where the policy lets them pass. Raises WeftError for a
    name that the member has neither as a stream nor as a target.
    """
    sources = {name: _source(member, dataset, name) for name in names}
    loader = Loader(
        dataset,
        sources,
        batch_size=config.batch_size,
        seed=0,
        train=False,
        workers=config.workers,
        errors=config.errors,
    )
    places = {dataset[row].id: row for row in range(len(dataset))}
    with progress(what, len(dataset)) as advance:
        for batch in loader.batches_once(view):
            yield Rows([places[name] for name in batch.ids], batch.to(device))
            advance(len(batch))


def _source(member: Member, dataset: Dataset, name: str) -> Source:
    if name in member.sources:
        return member.sources[name]
    if name not in member.targets:
        raise unknown_name("stream or target", name, [*member.sources, *member.targets])
    return TargetSource(dataset, member.targets[name])
