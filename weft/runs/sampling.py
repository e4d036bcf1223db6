"""Chooses which training rows are in which batch. Row lengths are computed once and kept in the run directory."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from weft.core.distributed import barrier, rank
from weft.core.errors import DataError, WeftError
from weft.core.interfaces import Modality
from weft.core.tensors import read_tensors, write_tensors
from weft.data.bucketing import row_lengths
from weft.data.columns import row_of
from weft.data.formats import Dataset
from weft.data.sampler import BucketedSampler, GroupedSampler, Sampler, ShuffledSampler
from weft.data.stamps import stamp
from weft.runs.recipe import Recipe

LENGTHS = "lengths.safetensors"


def sampler_of(
    recipe: Recipe, folder: Path, training: Dataset, modalities: Mapping[str, Modality]
) -> Sampler:
    """Returns the sampler that the recipe configures. The modalities must have learned already.

    Raises WeftError if the rows are not those with which the run began.
    """
    batch_size, seed, bucketing = recipe.run.batch_size, recipe.run.seed, recipe.data.bucketing
    if recipe.data.by_group:
        return GroupedSampler(groups_of(training), batch_size, seed)
    if bucketing.stream is not None:
        lengths = _lengths(bucketing.stream, folder, training, modalities)
        return BucketedSampler(lengths, batch_size, seed, bucketing.window)
    return ShuffledSampler(len(training), batch_size, seed)


def groups_of(dataset: Dataset) -> NDArray[np.int64]:
    """(N,) the number of each row's group. An unreadable row is a group of its own. No media is read."""
    numbers: dict[str, int] = {}
    found = np.empty(len(dataset), dtype=np.int64)
    for row in range(len(dataset)):
        try:
            name = row_of(dataset, row).group
        except DataError:
            name = f"/unreadable {row}"
        found[row] = numbers.setdefault(name, len(numbers))
    return found


def _lengths(
    stream: str, folder: Path, training: Dataset, modalities: Mapping[str, Modality]
) -> NDArray[np.int64]:
    """(N,) the stream's length in each row.

    The lengths come from the run's file, so they are the same on every rank and after every resume.
    """
    path = folder / LENGTHS
    rows = stamp(training, range(len(training)), columns=[stream], times=False)
    if rank() == 0 and not path.exists():
        lengths = torch.from_numpy(row_lengths(training, stream, modalities[stream]))
        write_tensors(path, {"lengths": lengths}, {"stream": stream, "rows": rows})
    barrier()
    tensors, about = read_tensors(path)
    kept = tensors.get("lengths")
    if kept is None or kept.shape != (len(training),) or about.get("rows") != rows:
        raise WeftError(
            f"{path}: holds the lengths of {0 if kept is None else len(kept)} training rows, expected "
            f"{len(training)}: the data changed after the run began"
        )
    found: NDArray[np.int64] = kept.numpy()
    return found
