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
from weft.data.stamps import stamp
from weft.runs.recipe import Recipe

LENGTHS = "lengths.safetensors"


def buckets(
    recipe: Recipe, folder: Path, training: Dataset, modalities: Mapping[str, Modality]
) -> Buckets | None:
    """The buckets that the recipe asks for, or None. The modalities have learned already.

    They are the same on every rank and after every resume, since they come from the run's file. Raises
    WeftError where the rows are not those that the run began with.
    """
    stream = recipe.data.bucketing.stream
    if stream is None:
        return None
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
            f"{path}: holds the lengths of {0 if kept is None else len(kept)} training rows, expected those "
            f"of the {len(training)} rows as they are: the data is not what it was when the run began"
        )
    return Buckets(kept.numpy(), recipe.data.bucketing.window)
