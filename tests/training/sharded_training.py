"""A small CLIP trained on one rank or two, with its state whole on each or cut over them.

`sharded_training.py FOLDER` is run by each of two ranks: all runs that the tests compare. `sharded_training.py
FOLDER STEPS` trains one run, slowly, to be killed.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F

from weft.architectures.clip import clip
from weft.architectures.model import Model
from weft.core.distributed import rank, world_size
from weft.core.records import Batch, Field
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.training import distributed
from weft.training.config import RunConfig, player
from weft.training.loop import FitResult, fit
from weft.training.optim import OptimConfig
from weft.training.step import TrainStep

ROWS = 8
CLIP = clip(
    vocab_size=50, image_size=16, patch_size=8, width=16, depth=2, text_depth=2, embedding=8
)
OPTIM = OptimConfig(lr=3e-3, clip_norm=0.5, ema=0.9, warmup=0.0, schedule="constant")
TEMPERATURE = TemperatureConfig(init=0.07, maximum=0.0702)  # the bound is met after three steps
STEPS = 4
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "cached": {"gradient_cache": 2},
    "cached, recomputed": {"gradient_cache": 2, "recompute": True},
    "bf16": {"precision": "bf16"},
}


def batch_at(step: int) -> Batch:
    """This rank's rows of the batch at that step."""
    generator = torch.Generator().manual_seed(step)
    images = torch.randint(0, 256, (ROWS, 3, 16, 16), dtype=torch.uint8, generator=generator)
    ids = torch.randint(1, 50, (ROWS, 6), generator=generator)
    mask = torch.arange(6) < torch.randint(1, 7, (ROWS, 1), generator=generator)
    inputs = {"image": Field(images), "text": Field(ids * mask, mask)}
    share = slice(ROWS * rank() // world_size(), ROWS * (rank() + 1) // world_size())
    names = [str(row) for row in range(ROWS)]
    return Batch(inputs, ids=names, groups=torch.arange(ROWS) // 2 * 2).rows(share)


def validation(model: Model) -> Callable[[], dict[str, float]]:
    """Calls the parts of the model by themselves, as tasks do, on rows that every rank sees."""

    def validate() -> dict[str, float]:
        generator = torch.Generator().manual_seed(99)
        images = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=generator)
        texts = torch.randint(1, 50, (5, 6), generator=generator)
        with torch.inference_mode():
            one = model.embed("image", model.encode("image", Field(images)))
            two = model.embed("text", model.encode("text", Field(texts, texts > 0)))
        return {"distance": F.mse_loss(one, two).item()}

    return validate


def train(folder: Path, steps: int, pause: float = 0.0, **settings: object) -> FitResult:
    """Trains or resumes the run in `folder` until `steps`. The first weights differ among ranks."""

    def batches(start: int, stop: int) -> Iterator[Batch]:
        for step in range(start, stop):
            time.sleep(pause)
            yield batch_at(step)

    options = {"checkpoint_every": 2, "evaluate_every": 2, "log_every": 1, "device": "cpu"}
    run = RunConfig(steps=steps, monitor_mode="min", **{**options, **settings})  # type: ignore[arg-type]
    torch.manual_seed(rank())
    objective = SoftmaxContrastiveConfig(temperature=TEMPERATURE).build()
    step = TrainStep(CLIP.build(), {"itc": objective})
    players = [player("main", step, OPTIM, run)]
    return fit(players, batches, run, folder, validation(step.model), recipe=OPTIM, resume=True)


def on_two_ranks(folder: Path) -> None:
    """Everything that two ranks do, in one start."""
    for name, settings in SETTINGS.items():
        train(folder / name, STEPS, parallel="fsdp", **settings)
    for parallel in ("ddp", "fsdp"):
        train(folder / f"accumulated, {parallel}", STEPS, parallel=parallel, accumulate=2)
    for stop, parallel in ((1, "ddp"), (2, "fsdp"), (3, "ddp"), (STEPS, "fsdp")):
        train(folder / "to and fro", stop, parallel=parallel)
    train(folder / "resumed", 2, parallel="fsdp")
    train(folder / "resumed", STEPS, parallel="fsdp")
    train(folder / "from one rank", STEPS, parallel="fsdp")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with distributed.session("cpu"):
        if len(sys.argv) == 2:
            on_two_ranks(Path(sys.argv[1]))
        else:
            train(Path(sys.argv[1]), int(sys.argv[2]), pause=0.01, parallel="fsdp", keep=3)
