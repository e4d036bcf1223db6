"""The settings of a run."""

from dataclasses import dataclass
from typing import Literal

from weft.core.config import Settings
from weft.core.precision import Precision
from weft.core.ranges import COUNT, WORKERS, at_least, require

Parallel = Literal["ddp", "fsdp"]
LARGEST_BATCH = 2**20
"""A larger batch size is refused as a typing mistake: it would fill the memory before anything else fails."""


@dataclass(frozen=True)
class RunConfig(Settings):
    """How long a run trains, how often it logs, evaluates and writes checkpoints, and on which device."""

    steps: int = 1000
    """Updates of the weights; turns of a player that takes one at every step."""
    epochs: int | None = None
    """Passes over the training rows; if given, `steps` is computed from it."""
    batch_size: int = 128
    """Rows in a step, over all ranks and micro-batches."""
    seed: int = 0
    precision: Precision = "fp32"
    """bf16 computes matrix products in bfloat16 (autocast) and keeps weights in fp32; auto takes bf16 if it
    is faster on this machine."""
    accumulate: int = 1
    """Micro-batches in a step of one rank, to save memory. The gradient is that of the whole batch for
    every objective, contrastive ones included; the model runs forward twice."""
    recompute: bool = False
    """Save memory: keep only the inputs of transformer blocks, and compute the rest again in the backward
    pass."""
    checkpoint_every: int = 200
    """Steps between checkpoints; 0 writes only the last."""
    evaluate_every: int = 200
    """Steps between evaluations on the validation split; 0 evaluates only at the end."""
    evaluate_raw: bool = False
    """Where weights are averaged, also measure them as they are: validation/raw/... in the log. What they generate is in
    progress/raw of the run."""
    log_every: int = 10
    """Steps between lines of log.jsonl."""
    keep: int = 2
    """Newest checkpoints that are kept on disk."""
    patience: int | None = None
    """Early stopping: training stops after this number of evaluations without a new best; None never stops
    early."""
    monitor: str | None = None
    """Validation metric that chooses the best weights, TASK/METRIC; None takes the first. Each metric
    declares whether higher or lower is better."""
    workers: int = 0
    """Threads of each rank that read and decode rows ahead; 0 reads in the main thread."""
    compile: bool = False
    """Compile the step with torch.compile: it takes minutes at the start, and steps are faster afterwards.
    A small CLIP had the same losses to 1e-6 on a CPU. Names in checkpoints do not change."""
    parallel: Parallel = "ddp"
    """On several ranks: ddp keeps a copy of the model on each rank; fsdp (FSDP2) shards weights, gradients,
    optimizer state and weight average over the ranks, for models that do not fit on one device. A run
    may be resumed with the other."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    find_unused: bool = False
    """On several ranks: set it if some batch's loss does not depend on every trainable parameter."""

    def __post_init__(self) -> None:
        require(self, batch_size=at_least(1, LARGEST_BATCH), workers=WORKERS)
        require(self, accumulate=COUNT, log_every=COUNT, keep=COUNT, epochs=COUNT, patience=COUNT)
        require(self, steps=at_least(0), seed=at_least(0))
        require(self, checkpoint_every=at_least(0), evaluate_every=at_least(0))
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate is {self.accumulate}, expected at most batch_size, {self.batch_size}"
            )
        for name in ("compile", "find_unused"):
            if self.parallel == "fsdp" and vars(self)[name]:
                raise ValueError(
                    f"{name} is True and parallel 'fsdp', expected {name} with 'ddp' only"
                )

    def resolved(self, steps_per_epoch: int) -> "RunConfig":
        """The same settings, with `epochs` converted into `steps`."""
        if self.epochs is None:
            return self
        return self.replace(steps=self.epochs * steps_per_epoch, epochs=None)
