"""The lengths of a stream's rows, for batches of similar lengths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.core.config import Settings
from weft.core.errors import WeftError
from weft.core.interfaces import Measurable, Modality
from weft.data.formats import Dataset


@dataclass(frozen=True)
class BucketingConfig(Settings):
    """Batches of rows of similar lengths, for parts that compute padding."""

    stream: str | None = None
    """Stream whose length (for text: in tokens) determines the batches; None ignores length. Transformers skip
    padding anyway; recurrent and convolutional parts become faster."""
    window: int = 50
    """Number of batches within which rows are sorted by length. More reduce padding, fewer keep the order more
    random."""

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window is {self.window}, expected at least 1 batch")


def row_lengths(dataset: Dataset, stream: str, modality: Modality) -> NDArray[np.int64]:
    """Returns the length of every row's `stream`, as its modality measures it.

    A row that is unusable or lacks the stream has length 0; the code that loads it handles the error. Raises
    WeftError if the modality measures no lengths.
    """
    if not isinstance(modality, Measurable):
        raise WeftError(
            f"data.bucketing.stream is '{stream}', but a {type(modality).__name__} cannot measure lengths"
        )
    lengths = np.zeros(len(dataset), dtype=np.int64)
    for index in range(len(dataset)):
        try:
            raw = dataset[index].items.get(stream)
            lengths[index] = 0 if raw is None else modality.length(raw)
        except WeftError:
            continue
    return lengths
