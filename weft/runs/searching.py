"""The index of a run: opened where it fits the run, and asked with several examples at once."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.tensors import checksum_of
from weft.index import Index
from weft.runs.parts import WEIGHTS
from weft.runs.trained import TrainedModel

INDEX = "index"
"""The folder of a run directory that holds its index."""


def open_index(run: TrainedModel, folder: Path) -> Index:
    """The index in `folder`. Raises WeftError where there is none, or other weights than the run's have embedded it."""
    if not run.streams:
        raise WeftError(
            f"{run.folder}: this run has no embeddings, so nothing can be searched with it"
        )
    index = Index.open(folder)
    if index.weights not in (None, checksum_of(run.folder / WEIGHTS)):
        index.close()
        raise WeftError(
            f"{folder}: was embedded with other weights than those of {run.folder}, so its scores would "
            f"mean nothing; build it again with: weft index build {run.folder}"
        )
    return index


def combined(vectors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """(E,) the query that several examples (E,) are together: the weighted sum of their unit vectors.

    A negative weight is that of an example of what is not wanted. Raises WeftError where nothing is left.
    """
    units = F.normalize(torch.stack([one.float() for one in vectors]), dim=1)
    found = (units * torch.tensor(weights, dtype=torch.float32)[:, None]).sum(0)
    length = float(found.norm())
    if not 1e-6 < length < float("inf"):
        raise WeftError("the examples and their weights cancel out, so nothing is near them")
    return found / length
