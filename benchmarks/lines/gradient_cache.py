"""Accumulation by gradient caching: a contrastive batch of 4,096 on micro-batches of 64, beside a batch of 64.

python -m benchmarks.lines.gradient_cache ROWS MICRO_BATCH PIXELS DEVICE takes one training step in its
own process. The line's pictures are 64 x 64: at 128 x 128 the large step takes a core a quarter of an
hour.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Literal

import torch

from benchmarks.measure import Comparison, Setting, in_process, peak_memory, seconds, value
from weft.architectures.clip import clip
from weft.core.records import Batch, Field
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep

ROWS, MICRO_BATCH = 4096, 64
PIXELS, VOCABULARY, WORDS = 64, 8000, 12
MIB = 2**20


def measure(setting: Setting) -> list[Comparison]:
    """Peak memory of the process, and of it what the step adds to model, optimizer and imports."""

    def peaks(rows: int, micro_batch: int) -> dict[str, float]:
        words = (str(rows), str(micro_batch), str(PIXELS), setting.device)
        found: dict[str, float] = in_process(__name__, *words, threads=setting.threads)
        return found

    large, plain = peaks(ROWS, MICRO_BATCH), peaks(MICRO_BATCH, 0)
    note = f"{ROWS} rows of {PIXELS} x {PIXELS} pixels on micro-batches of {MICRO_BATCH}"
    note += f" ({large['seconds']:.0f} s), beside a batch of {MICRO_BATCH} in one piece"
    return [
        value(
            f"memory of a batch of {ROWS}: {name}",
            large[key] / plain[key],
            at_most=aim,
            unit="times",
            note=f"{large[key]:.0f} and {plain[key]:.0f} MiB; {note}",
        )
        for key, name, aim in (
            ("whole", "whole process", 1.3),
            # Of this a fourth is the sum of the parameters' gradients, that one pass never holds
            # together with its activations; it weighs less the larger the pictures are.
            ("added", "what the step adds", None),
        )
    ]


def batch(rows: int, pixels: int) -> Batch:
    """Random pictures, and captions of about 12 tokens."""
    generator = torch.Generator().manual_seed(0)
    shape = (rows, 3, pixels, pixels)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    lengths = torch.randint(WORDS - 4, WORDS + 5, (rows, 1), generator=generator)
    mask = torch.arange(WORDS + 4) < lengths
    ids = torch.randint(1, VOCABULARY, mask.shape, generator=generator)
    inputs = {"image": Field(images), "text": Field(ids * mask, mask)}
    return Batch(inputs, ids=[str(row) for row in range(rows)], groups=torch.arange(rows))


def step(
    rows: int, micro_batch: int, pixels: int, device: Literal["cpu", "cuda"]
) -> dict[str, float]:
    """MiB at the peak of one fp32 step of the reference CLIP, and the step's seconds.

    whole: all that the process holds. added: without model, optimizer state and imported code, which
    a first step on two rows has brought into being; the batch itself counts.
    """
    torch.manual_seed(0)
    model = clip(vocab_size=VOCABULARY, image_size=pixels).build()
    objective = SoftmaxContrastiveConfig(chunk=micro_batch or None).build()
    parts = rows // micro_batch if micro_batch else 1
    run = RunConfig(steps=2, accumulate=parts, batch_size=rows, precision="fp32", device=device)
    train = single_player(TrainStep(model, {"contrastive": objective}), OptimConfig(), run)
    train.turn(batch(2, pixels).to(device))
    before = torch.cuda.memory_allocated() / MIB if device == "cuda" else resident_memory()
    taken = seconds(lambda: train.turn(batch(rows, pixels).to(device)))
    peak = torch.cuda.max_memory_allocated() / MIB if device == "cuda" else peak_memory()
    return {"whole": peak, "added": peak - before, "seconds": taken}


def resident_memory() -> float:
    """What this process holds now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


if __name__ == "__main__":
    rows, micro_batch, pixels = map(int, sys.argv[1:4])
    place: Literal["cpu", "cuda"] = "cuda" if sys.argv[4] == "cuda" else "cpu"
    print(json.dumps(step(rows, micro_batch, pixels, place)))
