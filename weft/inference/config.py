"""How a model is run over a data set."""

from dataclasses import dataclass, field

from weft.core.config import Settings
from weft.core.precision import Precision
from weft.core.ranges import COUNT, WORKERS, require
from weft.data.policy import ErrorPolicy

BATCH = 64
"""Batch size outside evaluations: for values that a caller passes, rows of `weft predict`, and what judges see."""


@dataclass(frozen=True)
class InferenceConfig(Settings):
    """How a model is run over a data set, to embed its entries or to predict its rows."""

    batch_size: int = 256
    """Entries, or rows, at once, at most."""
    batch_bytes: int = 8 << 20
    """So many bytes at most are what is read of them at once, padded, or two rows: what a model computes of long sounds
    and videos takes many times as much memory."""
    workers: int = 2
    """Threads that read ahead."""
    precision: Precision = "fp32"
    """Precision of the model. Embeddings are always float32."""
    errors: ErrorPolicy = field(default_factory=ErrorPolicy)
    """Treatment of unreadable rows."""

    def __post_init__(self) -> None:
        require(self, batch_size=COUNT, batch_bytes=COUNT, workers=WORKERS)
