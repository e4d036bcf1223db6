"""Opens the index of a run after checking that it fits, and combines several examples to one query."""

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
"""The folder of a run directory with its index."""


def open_index(run: TrainedModel, folder: Path) -> Index:
    """Opens the index in `folder`. Raises WeftError if there is none, or it was embedded with other weights."""
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
    """(E,) combines several examples (E,) to one query: the weighted sum of their unit vectors.

    A negative weight moves the query away from an example. Raises WeftError if the sum is zero.
    """
    units = F.normalize(torch.stack([one.float() for one in vectors]), dim=1)
    found = (units * torch.tensor(weights, dtype=torch.float32)[:, None]).sum(0)
    length = float(found.norm())
    if not 1e-6 < length < float("inf"):
        raise WeftError("the examples and their weights cancel out, so nothing is near them")
    return found / length
