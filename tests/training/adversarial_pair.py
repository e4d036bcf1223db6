"""A conditional GAN with a shared part: words, a generator of pictures of them, and a critic of both.

The hinge losses of Miyato et al. 2018 (arXiv:1802.05957, equations 16 and 17) with a projection critic
(Miyato & Koyama 2018, arXiv:1802.05637, equation 3). The critic owns the words' encoder, which the
generator reads too.

`python adversarial_pair.py FOLDER PARALLEL` trains as one of several ranks.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.architectures.model import Model, ProjectionConfig
from weft.core.distributed import mean_of_all, rank, world_size
from weft.core.interfaces import EncodedStreams
from weft.core.records import Batch, Features, Field, Loss
from weft.heads.head import Head
from weft.heads.numbers import NumberOutput
from weft.training import distributed
from weft.training.config import RunConfig
from weft.training.loop import fit
from weft.training.optim import OptimConfig
from weft.training.player import Player
from weft.training.players import PlayerConfig, build_players
from weft.training.step import TrainStep

WORDS, WIDTH, NOISE, SIDE, ROWS = 4, 8, 4, 4, 8
OPTIM = OptimConfig(lr=2e-3, betas=(0.0, 0.9), warmup=0.0, schedule="constant", weight_decay=0.0)
PLAYERS = {
    "critic": PlayerConfig(
        ("criticism",),
        ("encoders", "projections"),
        OPTIM.replace(ema=0.5, clip_norm=None),
    ),
    "generator": PlayerConfig(("deceit",), ("heads.picture",), every=2),
}
RUN = RunConfig(steps=6, checkpoint_every=3, log_every=1, batch_size=ROWS, device="cpu")


class Words(nn.Module):
    """(B, 1) numbers of words -> their vectors."""

    dim = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)

    def forward(self, field: Field) -> Features:
        tokens: Tensor = self.table(field.values)
        return Features(tokens, torch.ones_like(field.values, dtype=torch.bool), tokens[:, 0])


class Looking(nn.Module):
    """(B, 3, S, S) pictures in [-1, 1] -> what a critic sees in them, with running statistics."""

    dim = 2 * WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, WIDTH, 3, padding=1),
            nn.BatchNorm2d(WIDTH),
            nn.LeakyReLU(0.2),
            nn.Conv2d(WIDTH, self.dim, SIDE),
            nn.LeakyReLU(0.2),
        )

    def forward(self, field: Field) -> Features:
        pooled: Tensor = self.layers(field.values).flatten(1)
        mask = torch.ones(len(field), 1, dtype=torch.bool)
        return Features(pooled[:, None], mask, pooled)


class Drawing(nn.Module):
    """A word's vector with noise behind it -> a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(WIDTH + NOISE, 32), nn.ReLU(), nn.Linear(32, 3 * SIDE**2), nn.Tanh()
        )

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        drawn: Tensor = self.layers(context.pooled).view(-1, 3, SIDE, SIDE)
        return drawn


def drawn(model: Model, batch: Batch, streams: EncodedStreams) -> Tensor:
    words = streams.features("text")
    pooled = torch.cat([words.pooled, batch.uniform("noise", NOISE) * 2 - 1], dim=1)
    return model.decode("picture", {"text": Features(words.tokens, words.mask, pooled)})


def judged(model: Model, pictures: Tensor, streams: EncodedStreams) -> Tensor:
    """(B,) the critic's scores of pictures, each beside its row's word."""
    seen = model.encode("image", Field(pictures))
    given = model.projections["text"](streams.features("text"))
    scores: Tensor = model.projections["score"](seen)[:, 0]
    return scores + (model.projections["image"](seen) * given).sum(dim=1)


class Criticism(nn.Module):
    def forward(self, model: Model, batch: Batch, streams: EncodedStreams) -> Loss:
        field = batch.inputs["image"]
        assert isinstance(field, Field)
        real = judged(model, field.values, streams)
        # The streams are shared: under no_grad nobody would get their gradient.
        made = drawn(model, batch, streams).detach()
        unreal = judged(model, made, streams)
        cost = mean_of_all(F.relu(1 - real)) + mean_of_all(F.relu(1 + unreal))
        return Loss(cost, {"apart": mean_of_all((real - unreal).detach())})


class Deceit(nn.Module):
    def forward(self, model: Model, batch: Batch, streams: EncodedStreams) -> Loss:
        return Loss(-mean_of_all(judged(model, drawn(model, batch, streams), streams)), {})


def step_of(seed: int = 0) -> TrainStep:
    torch.manual_seed(seed)
    projections = {
        "text": ProjectionConfig(WIDTH, WIDTH),
        "image": ProjectionConfig(2 * WIDTH, WIDTH),
        "score": ProjectionConfig(2 * WIDTH, 1),
    }
    model = Model(
        {"text": Words(), "image": Looking()},
        projections={name: config.build() for name, config in projections.items()},
        heads={"picture": Head(Drawing(), NumberOutput(), context="text")},
    )
    return TrainStep(model, {"criticism": Criticism(), "deceit": Deceit()})


def players_of(run: RunConfig = RUN, seed: int = 0) -> list[Player]:
    return build_players(step_of(seed), PLAYERS, OPTIM, run)


def batch_at(step: int) -> Batch:
    """This rank's rows: each word has a colour, with noise."""
    generator = torch.Generator().manual_seed(step)
    words = torch.randint(WORDS, (ROWS, 1), generator=generator)
    colours = torch.tensor([[0.8, -0.8, -0.8], [-0.8, 0.8, -0.8], [-0.8, -0.8, 0.8], [0.8] * 3])
    pictures = colours[words[:, 0]][:, :, None, None].expand(-1, -1, SIDE, SIDE)
    pictures = pictures + 0.1 * torch.randn(ROWS, 3, SIDE, SIDE, generator=generator)
    whole = Batch(
        {"text": Field(words), "image": Field(pictures)},
        [f"{step}-{row}" for row in range(ROWS)],
        torch.arange(ROWS),
        seeds=torch.arange(ROWS) + 1000 * step,
    )
    share = ROWS // world_size()
    return whole.rows(slice(share * rank(), share * (rank() + 1)))


def batches(start: int, stop: int) -> Iterator[Batch]:
    return (batch_at(step) for step in range(start, stop))


def main(folder: Path, parallel: str) -> None:
    with distributed.session("cpu"):
        run = RUN.replace(parallel=parallel)
        fit(players_of(run), batches, run, folder, recipe=OPTIM)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2])
