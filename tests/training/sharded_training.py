"""A small CLIP trained on one rank or two, with its state whole on each or cut over them.

`sharded_training.py FOLDER` is run by each of two ranks: all runs that the tests compare. `sharded_training.py
FOLDER STEPS` trains one run, slowly, to be killed.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from weft.architectures.clip import clip
from weft.architectures.model import Model
from weft.core.building import build
from weft.core.config import Config
from weft.core.distributed import rank, world_size
from weft.core.records import Batch, Features, Field, Loss
from weft.encoders.recurrent import Recurrent, RecurrentConfig
from weft.encoders.resnet import ResNet, ResNetConfig
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import Metric, Score
from weft.fusion.coattention import CoAttentionConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.fusion.cross_modality import CrossModalityConfig
from weft.fusion.early import EarlyConfig
from weft.layers.transformer import TransformerConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.training import distributed, sharding
from weft.training.config import RunConfig
from weft.training.loop import FitResult, fit
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep, recompute_activations

ROWS = 8
CLIP = clip(
    vocab_size=50, image_size=16, patch_size=8, width=16, depth=2, text_depth=2, embedding=8
)
OPTIM = OptimConfig(lr=3e-3, clip_norm=0.5, ema=0.9, warmup=0.0, schedule="constant")
TEMPERATURE = TemperatureConfig(init=0.07, maximum=0.0702)  # the bound is met after three steps
STEPS = 4
DISTANCE = Metric("distance", "squared distance", "lower")
BLOCKS = TransformerConfig(dim=16, depth=2, heads=2, norm="post")
WIDTHS = {"text": 16, "image": 16}
PARTS: Mapping[str, Config] = {
    "early": EarlyConfig(WIDTHS, BLOCKS),
    "coattention": CoAttentionConfig(dict.fromkeys(WIDTHS, BLOCKS), dim=16, depth=2, heads=2),
    "cross-modality": CrossModalityConfig(WIDTHS, BLOCKS),
    "cross-attention": CrossAttentionConfig(WIDTHS, BLOCKS),
    "resnet": ResNetConfig(depth=18, width=8),
    "recurrent": RecurrentConfig(
        vocab_size=50, embedding=8, hidden=8, layers=2, bidirectional=True
    ),
}
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "accumulated": {"accumulate": 2},
    "accumulated, recomputed": {"accumulate": 2, "recompute": True},
}
PAIRS: Mapping[str, Mapping[str, object]] = {
    "bf16": {"precision": "bf16"},
}
"""Where two ranks do not compute what one does, DDP and FSDP2 still agree."""


def batch_at(step: int, whole: bool = False) -> Batch:
    """This rank's rows of the batch at that step, or all."""
    generator = torch.Generator().manual_seed(step)
    images = torch.randint(0, 256, (ROWS, 3, 16, 16), dtype=torch.uint8, generator=generator)
    ids = torch.randint(1, 50, (ROWS, 6), generator=generator)
    mask = torch.arange(6) < torch.randint(1, 7, (ROWS, 1), generator=generator)
    inputs = {"image": Field(images), "text": Field(ids * mask, mask)}
    share = slice(ROWS * rank() // world_size(), ROWS * (rank() + 1) // world_size())
    names = [str(row) for row in range(ROWS)]
    batch = Batch(inputs, ids=names, groups=torch.arange(ROWS) // 2 * 2)
    return batch if whole else batch.rows(share)


def validation(model: Model) -> Callable[[int], dict[str, Score]]:
    """Calls the parts of the model by themselves, as tasks do, on rows that every rank sees."""

    def validate(number: int) -> dict[str, Score]:
        generator = torch.Generator().manual_seed(99)
        images = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=generator)
        texts = torch.randint(1, 50, (5, 6), generator=generator)
        with torch.inference_mode():
            one = model.embed("image", model.encode("image", Field(images)))
            two = model.embed("text", model.encode("text", Field(texts, texts > 0)))
        found = F.mse_loss(one, two).item()
        return {"distance": DISTANCE.score(Estimate(found, found, found))}

    return validate


def train(folder: Path, steps: int, pause: float = 0.0, **settings: object) -> FitResult:
    """Trains or resumes the run in `folder` until `steps`. The first weights differ among ranks."""

    def batches(start: int, stop: int) -> Iterator[Batch]:
        for step in range(start, stop):
            time.sleep(pause)
            yield batch_at(step)

    options = {"checkpoint_every": 2, "evaluate_every": 2, "log_every": 1, "device": "cpu"}
    run = RunConfig(steps=steps, **{**options, **settings})  # type: ignore[arg-type]
    torch.manual_seed(rank())
    objective = SoftmaxContrastiveConfig(temperature=TEMPERATURE).build()
    model = CLIP.build()
    # Tied weights are one tensor of two names, as in a decoder whose words go in and out.
    model.projections["text"].layers[-1].weight = model.projections["image"].layers[-1].weight  # type: ignore[union-attr, index]
    step = TrainStep(model, {"itc": objective})
    players = [single_player(step, OPTIM, run)]
    return fit(players, batches, run, folder, validation(step.model), recipe=OPTIM, resume=True)


class Part(nn.Module):
    """A fusion or an encoder as a step whose loss reads everything that comes out."""

    def __init__(self, config: Config, recompute: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.part = build(config)
        if recompute and sharding.blocks(self):
            recompute_activations(self)

    def forward(self, batch: Batch) -> Loss:
        if isinstance(self.part, ResNet | Recurrent):
            found = {
                "": self.part(batch.inputs["image" if isinstance(self.part, ResNet) else "text"])
            }
        else:
            tokens_BTD = torch.randn(ROWS, 6, 16, generator=torch.Generator().manual_seed(1))
            mask_BT = torch.arange(6) < torch.arange(1, ROWS + 1)[:, None]
            given = Features(tokens_BTD, mask_BT, tokens_BTD[:, 0])
            found = self.part({"text": given, "image": given})
        used = [part for f in found.values() for part in (f.tokens[f.mask], f.pooled)]
        return Loss(torch.stack([part.sin().sum() for part in used]).sum(), {})


def gradient_errors() -> dict[str, float]:
    """Largest difference between the gradient of each part whole and cut over ranks."""
    errors: dict[str, float] = {}
    for name, config in PARTS.items():
        for recompute in (False, True):
            whole, cut = Part(config, recompute), Part(config, recompute)
            sharding.shard(cut, torch.device("cpu"))
            for step in (whole, cut):
                torch.autograd.backward(step(batch_at(0, whole=True)).total)
            pairs = zip(whole.parameters(), cut.parameters(), strict=True)
            difference = [
                (gradient(two) - gradient(one)).abs().max() / (1 + gradient(one).abs().max())
                for one, two in pairs
            ]
            errors[f"{name}{', recomputed' if recompute else ''}"] = max(difference).item()
    return errors


def gradient(parameter: nn.Parameter) -> torch.Tensor:
    found = parameter.grad
    if found is None:
        return torch.zeros(parameter.shape)
    return found.full_tensor() if sharding.is_sharded(found) else found  # type: ignore[operator]


def on_two_ranks(folder: Path) -> None:
    """Everything that two ranks do, in one start."""
    errors = gradient_errors()
    if rank() == 0:
        (folder / "errors.json").write_text(json.dumps(errors))
    for name, settings in SETTINGS.items():
        train(folder / name, STEPS, parallel="fsdp", **settings)
    for name, settings in PAIRS.items():
        for parallel in ("ddp", "fsdp"):
            train(folder / f"{name}, {parallel}", STEPS, parallel=parallel, **settings)
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
