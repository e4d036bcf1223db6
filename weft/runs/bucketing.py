"""The lengths of a run's training rows: read once, kept in its directory."""

from collections.abc import Mapping
from pathlib import Path

import torch

from weft.core.distributed import barrier, rank
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.tensors import read_tensors, write_tensors
from weft.data.bucketing import Buckets, row_lengths
from weft.data.formats import Dataset
from weft.runs.recipe import Recipe

LENGTHS = "lengths.safetensors"


def buckets(
    recipe: Recipe, folder: Path, training: Dataset, modalities: Mapping[str, Modality]
) -> Buckets | None:
    """The buckets that the recipe asks for, or None. The modalities have learned already.

    They are the same on every rank and after every resume, since they come from the run's file. Raises
    WeftError where the data has another number of rows than when the run began.
    """
    stream = recipe.data.bucketing.stream
    if stream is None:
        return None
    path = folder / LENGTHS
    if rank() == 0 and not path.exists():
        lengths = torch.from_numpy(row_lengths(training, stream, modalities[stream]))
        write_tensors(path, {"lengths": lengths}, {"stream": stream})
    barrier()
    kept = read_tensors(path)[0].get("lengths")
    if kept is None or kept.shape != (len(training),):
        raise WeftError(
            f"{path}: holds {0 if kept is None else len(kept)} lengths, but the training split has "
            f"{len(training)} rows: the data is not what it was when the run began"
        )
    return Buckets(kept.numpy(), recipe.data.bucketing.window)
