"""Contrast on several levels of a recording: its parts, the whole, and the tokens of the parts.

The levels of clip and sentence, and of video and paragraph, are those of COOT (Ging et al. 2020, arXiv:2011.00597,
section 3.3). A whole is pooled by the mean here, as the task `retrieval` does with `by_group`. The level of tokens is
the late interaction of FILIP (Yao et al. 2021, arXiv:2111.07783, section 3.1).
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import gather, rank, world_size
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, NOT_NEGATIVE, require
from weft.core.records import Batch, Loss
from weft.objectives._presence import rows_with
from weft.objectives._tokens import token_directions
from weft.objectives.contrastive import SoftmaxContrastive, SoftmaxContrastiveConfig
from weft.objectives.similarity import Direction, directions
from weft.objectives.temperature import TemperatureConfig


class HierarchicalContrastive(nn.Module):
    """The weighted sum of softmax contrastive losses on several levels, each with its own temperature.

    clip: rows that match are positives, as in every contrastive objective. video: compares groups by the mean of
    the unit embeddings of their rows in the batch; the rows of a video need not match each other. token: compares
    rows by the mean, over the tokens of one stream, of the highest cosine with a token of the other.
    `data.by_group` puts the rows of a group into one batch.
    """

    def __init__(self, config: "HierarchicalContrastiveConfig") -> None:
        super().__init__()
        self.config = config
        own = SoftmaxContrastiveConfig(
            config.streams, temperature=config.temperature, chunk=config.chunk
        )
        self.levels = nn.ModuleDict({level: own.build() for level in config.weights})

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        names = self.config.streams
        found: dict[str, tuple[Direction, Direction]] = {}
        if "token" in self.levels:  # tokens first: see `Streams`
            found["token"] = token_directions(model, batch, streams, names)
        if "clip" in self.levels:
            found["clip"] = directions(batch, streams, names)
        if "video" in self.levels:
            found["video"] = video_directions(batch, streams, names)
        totals: list[Tensor] = []
        terms: dict[str, Tensor] = {}
        for level, pair in found.items():
            contrast = self.levels[level]
            assert isinstance(contrast, SoftmaxContrastive)
            loss = contrast.of_pair(*pair)
            totals.append(self.config.weights[level] * loss.total)
            terms[level] = loss.total.detach()
            terms |= {f"{level}_{name}": value for name, value in loss.terms.items()}
        return Loss(torch.stack(totals).sum(), terms)


def video_directions(
    batch: Batch, streams: EncodedStreams, names: tuple[str, str]
) -> tuple[Direction, Direction]:
    """The groups of all ranks that have both streams: each rank's share of them against all, in both directions."""
    keys_F, first_FE = _videos(batch, streams, names[0])
    keys_G, second_GE = _videos(batch, streams, names[1])
    first_FE, second_FE = (
        first_FE[torch.isin(keys_F, keys_G)],
        second_GE[torch.isin(keys_G, keys_F)],
    )
    keys_F = keys_F[torch.isin(keys_F, keys_G)]
    count = len(keys_F)
    own = slice(count * rank() // world_size(), count * (rank() + 1) // world_size())
    rows = first_FE[own], second_FE[own]
    if not count:  # no rows, beside a column that nobody reads
        keys_F = keys_F.new_zeros(1)
        first_FE = second_FE = first_FE.new_zeros(1, first_FE.shape[1])
    keys_B = keys_F[own]
    return (
        Direction(rows[0], second_FE, keys_B, keys_F, own.start),
        Direction(rows[1], first_FE, keys_B, keys_F, own.start),
    )


def _videos(batch: Batch, streams: EncodedStreams, name: str) -> tuple[Tensor, Tensor]:
    """(F,) the groups of all ranks that have the stream, in rising order, and (F, E) the normalised mean of their
    rows.
    """
    there, chosen = rows_with(batch, streams, (name,))
    vectors_AE, groups_A = gather(chosen.embedding(name).float()), gather(there.groups)
    keys_F, place_A = torch.unique(groups_A, return_inverse=True)
    sums_FE = vectors_AE.new_zeros(len(keys_F), vectors_AE.shape[1])
    return keys_F, F.normalize(sums_FE.index_add(0, place_A, vectors_AE), dim=-1)


@dataclass(frozen=True)
class HierarchicalContrastiveConfig(Config[Objective]):
    """Contrast of clips and sentences, of videos and paragraphs, and of their tokens (COOT, FILIP)."""

    streams: tuple[str, str] = ("video", "text")
    """The two streams, each with a projection to one width."""
    clip: float = 1.0
    """Weight of the contrast of rows: clip and sentence; 0 leaves it out."""
    video: float = 1.0
    """Weight of the contrast of groups, the whole videos and their paragraphs; 0 leaves it out."""
    token: float = 0.0
    """Weight of the contrast of rows by their tokens, such as frames and words; 0 leaves it out."""
    temperature: TemperatureConfig = field(default_factory=TemperatureConfig)
    """Temperature of each level."""
    chunk: int | None = None
    """Rows whose similarities are in memory at a time, None for all. Exact, for a second product."""

    def __post_init__(self) -> None:
        require(self, clip=NOT_NEGATIVE, video=NOT_NEGATIVE, token=NOT_NEGATIVE, chunk=COUNT)
        if self.streams[0] == self.streams[1]:
            raise ValueError(f"both streams are '{self.streams[0]}', expected two different ones")
        if not self.weights:
            raise ValueError(
                "clip, video and token are 0, expected a weight above 0 for one of them"
            )

    @property
    def weights(self) -> dict[str, float]:
        """Level -> its weight, for levels with a weight above 0."""
        every = {"token": self.token, "clip": self.clip, "video": self.video}
        return {level: weight for level, weight in every.items() if weight}

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams, together=self.streams)

    def build(self) -> HierarchicalContrastive:
        return HierarchicalContrastive(self)
