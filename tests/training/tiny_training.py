"""A small dual encoder on seeded random rows, trained with dropout: enough to test the training.

`python tiny_training.py train FOLDER STEPS BALLAST PAUSE` trains and resumes in FOLDER; `ranks FOLDER` and
`poisoned FOLDER` are run by each of several ranks.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from weft.architectures.model import Model, ProjectionConfig
from weft.core.distributed import rank, world_size
from weft.core.records import Batch, Features, Field
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import Metric, Score
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.training import distributed
from weft.training.config import RunConfig
from weft.training.loop import FitResult, fit
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep

WIDTH = 16
LOSS = Metric("loss", "nats", "lower")


class TinyEncoder(nn.Module):
    """(B, T, D) values -> Features, with dropout and a batch norm's buffers if asked for."""

    def __init__(self, dropout: float = 0.0, extra: int = 0) -> None:
        super().__init__()
        self.dim = WIDTH
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.dropout = nn.Dropout(dropout)
        # Makes a checkpoint big enough to be killed in the middle of writing it.
        self.ballast = nn.Parameter(torch.zeros(extra, 1024), requires_grad=False)

    def forward(self, field: Field) -> Features:
        tokens: Tensor = self.dropout(torch.tanh(self.linear(field.values)))
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Features(tokens, mask, tokens.mean(1))


def tiny_step(dropout: float = 0.0, seed: int = 0, extra: int = 0) -> TrainStep:
    torch.manual_seed(seed)
    model = Model(
        encoders={"image": TinyEncoder(dropout, extra), "text": TinyEncoder(dropout)},
        projections={s: ProjectionConfig(WIDTH, 8).build() for s in ("image", "text")},
    )
    return TrainStep(model, {"itc": SoftmaxContrastiveConfig().build()})


def batch_at(step: int, rows: int = 8) -> Batch:
    """This rank's share of the batch at that step, a pure function of the step."""
    generator = torch.Generator().manual_seed(1000 + step)
    base = torch.randn(rows, 3, WIDTH, generator=generator)
    noise = torch.randn(rows, 3, WIDTH, generator=generator)
    share = slice(rows * rank() // world_size(), rows * (rank() + 1) // world_size())
    fields = {"image": Field(base[share]), "text": Field((base.flip(2) + 0.3 * noise)[share])}
    ids = [f"row-{step}-{i}" for i in range(rows)][share]
    return Batch(inputs=fields, ids=ids, groups=(torch.arange(rows) // 2 * 2)[share])


def batches(start: int, stop: int) -> Iterator[Batch]:
    return (batch_at(step) for step in range(start, stop))


def scored(metric: Metric, value: float) -> Score:
    """A number without an interval."""
    return metric.score(Estimate(value, value, value))


def validation(step: TrainStep) -> Callable[[int], dict[str, Score]]:
    """Validation loss; it draws random numbers on purpose, which must not disturb the training."""

    def validate(number: int) -> dict[str, Score]:
        torch.rand(3)
        return {"loss": scored(LOSS, step(batch_at(10_000)).total.item())}

    return validate


def train(folder: Path, steps: int, extra: int = 0, pause: float = 0.0) -> FitResult:
    """A run with dropout, averaged weights and validation; `pause` gives time to be killed in."""

    def slowly(start: int, stop: int) -> Iterator[Batch]:
        for batch in batches(start, stop):
            time.sleep(pause)
            yield batch

    run = RunConfig(
        steps=steps,
        checkpoint_every=5,
        evaluate_every=7,
        log_every=1,
        monitor="loss",
        device="cpu",
    )
    optim = OptimConfig(lr=1e-2, ema=0.9)
    with distributed.session("cpu"):
        step = tiny_step(dropout=0.3, extra=extra)
        return fit(
            [single_player(step, optim, run)],
            slowly,
            run,
            folder,
            validation(step),
            recipe=optim,
            resume=True,
        )


def train_on_ranks(folder: Path, poisoned: bool) -> FitResult:
    """A run without dropout. The ranks' first weights and validation numbers disagree on purpose."""
    run = RunConfig(
        steps=20,
        evaluate_every=5,
        log_every=1,
        accumulate=2 if poisoned else 1,
        patience=2,
        device="cpu",
    )

    def perhaps_poisoned(start: int, stop: int) -> Iterator[Batch]:
        for step, batch in zip(range(start, stop), batches(start, stop), strict=True):
            if poisoned and step == 3 and rank() == 1:
                values = batch.inputs["text"].values.index_fill(0, torch.tensor([0]), torch.nan)
                yield batch.with_inputs(text=Field(values))
            else:
                yield batch

    calls: list[int] = []

    def validate(number: int) -> dict[str, Score]:
        calls.append(1)
        value = float(len(calls) if rank() == 0 else -len(calls))
        return {"recall": scored(Metric("recall", "share"), value)}

    with distributed.session("cpu"):
        step = tiny_step(seed=rank())
        optim = OptimConfig(lr=1e-2, ema=0.9)
        players = [single_player(step, optim, run)]
        return fit(players, perhaps_poisoned, run, folder, validate)


if __name__ == "__main__":
    torch.set_num_threads(1)
    mode, place, *rest = sys.argv[1:]
    if mode == "train":
        train(Path(place), int(rest[0]), int(rest[1]), float(rest[2]))
    else:
        result = train_on_ranks(Path(place), poisoned=mode == "poisoned")
        Path(place, f"rank-{os.environ['RANK']}.json").write_text(
            json.dumps([result.steps, result.metrics["recall"]])
        )
