"""The settings of a run."""

from dataclasses import dataclass
from typing import Literal

from weft.core.config import Settings
from weft.core.precision import Precision
from weft.core.ranges import COUNT, at_least, require

Parallel = Literal["ddp", "fsdp"]
LARGEST_BATCH, LARGEST_POOL = 2**20, 1024
"""More is a slip of the keyboard, and would take all memory before anything else fails."""


@dataclass(frozen=True)
class RunConfig(Settings):
    """How long a run trains, how often it looks up, and on what it runs."""

    steps: int = 1000
    """Updates of the weights; turns of a player that takes one at every step."""
    epochs: int | None = None
    """Passes over the training rows; if given, it decides `steps`."""
    batch_size: int = 128
    """Rows of an update, over all ranks and micro-batches."""
    seed: int = 0
    precision: Precision = "fp32"
    """bf16 computes products in bfloat16 (autocast), weights stay fp32; auto: where that is faster."""
    accumulate: int = 1
    """Micro-batches in which a rank computes an update, to save memory. The gradient is that of the whole
    batch for every objective, contrastive ones included; the model runs forward twice."""
    recompute: bool = False
    """Keep only the inputs of transformer blocks and compute the rest again in the backward pass."""
    checkpoint_every: int = 200
    """Steps between checkpoints; 0 writes only the last."""
    evaluate_every: int = 200
    """Steps between evaluations on the validation split; 0 evaluates only at the end."""
    log_every: int = 10
    """Steps between lines of log.jsonl."""
    keep: int = 2
    """Checkpoints that stay on disk."""
    patience: int | None = None
    """Evaluations without a new best after which training stops; None never stops early."""
    monitor: str | None = None
    """Validation metric that chooses the best weights, TASK/METRIC; None takes the first. The metric says
    itself whether more or less of it is better."""
    workers: int = 0
    """Threads that load data."""
    compile: bool = False
    """Compile the step with torch.compile: minutes at the start, faster steps afterwards. A small CLIP
    gave the same losses to 1e-6 on a CPU; names in checkpoints stay as they are."""
    parallel: Parallel = "ddp"
    """On several ranks: ddp keeps everything on each; fsdp (FSDP2) cuts weights, gradients, optimizer and
    average over them, for models that one device cannot hold. A run may go on with the other."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    find_unused: bool = False
    """On several ranks: True if some trainable parameter takes no part in some batch's loss."""

    def __post_init__(self) -> None:
        require(self, batch_size=at_least(1, LARGEST_BATCH), workers=at_least(0, LARGEST_POOL))
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
        """With `epochs` turned into `steps`."""
        if self.epochs is None:
            return self
        return self.replace(steps=self.epochs * steps_per_epoch, epochs=None)
