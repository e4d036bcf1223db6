"""Word-region alignment by optimal transport (UNITER: Chen et al. 2020, arXiv:1909.11740, section 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE, require
from weft.core.records import Batch, Features, Loss
from weft.core.shapes import check_shape
from weft.objectives._pairs import candidates, drawn_columns


class Alignment(nn.Module):
    """The least cost of moving the tokens of one stream onto those of the other: low for a row's own
    pair, high for its first stream with another row's second.

    Moving a token costs 1 - cosine; every token of a stream has the same share. The transport is found
    without gradient (equation 4 and IPOT), the cost is differentiated under it. The total is the sum of
    the own pairs' costs less that of the wrong pairs', divided by the number of both on all ranks, as in
    the authors' training code (pretrain.py of github.com/ChenRocks/UNITER). Without wrong pairs, equal
    tokens would have the lowest cost. A row without one of the streams is in no pair. Wrong pairs are
    sampled from the rows of all ranks. Fused features are read; those of own pairs are shared with other
    objectives. In a wrong pair, all streams except the two aligned ones are the first row's own.
    """

    def __init__(self, config: "AlignmentConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        fused = streams.fused()
        for stream in self.config.streams:
            if stream not in fused:
                raise ValueError(
                    f"the fused streams have no '{stream}', they are: {', '.join(fused)}"
                )
        others = tuple(s for s in fused if s in batch.inputs and s not in self.config.streams)
        found = candidates(batch, streams, self.config.streams, others)
        own_R = found.own_R - found.before
        own = {stream: fused[stream].take(own_R) for stream in self.config.streams}
        row_N = found.others_BA.any(dim=1).nonzero()[:, 0]
        uniform_N = batch.uniform(f"alignment: a {self.config.streams[1]}")[row_N]
        taken_N = drawn_columns(found.others_BA[row_N].float(), uniform_N)
        numbers = dict.fromkeys(found.features, row_N + found.before)
        wrong = found.take({**numbers, self.config.streams[1]: taken_N})
        right_R = torch.cat(streams.by_rows(self.distance, own))
        wrong_N = torch.cat(streams.by_rows(lambda rows: self.distance(model.fuse(rows)), wrong))
        # Where there is nothing to set a pair against, it teaches nothing.
        right_N = right_R[torch.isin(own_R, row_N)]
        total = mean_of_all(torch.cat([right_N, -wrong_N]))
        terms = {"own": mean_of_all(right_R.detach()), "wrong": mean_of_all(wrong_N.detach())}
        return Loss(total, terms)

    def distance(self, fused: Mapping[str, Features]) -> Tensor:
        """(R,) the cost of the transport between the two streams of each row."""
        first, second = (fused[stream] for stream in self.config.streams)
        check_shape(second.tokens, "B T D", "the second stream", D=first.tokens.shape[2])
        # Autocast would round the cosines to 8 bits of mantissa.
        with torch.autocast(first.tokens.device.type, enabled=False):
            one_RTD, other_RKD = (
                F.normalize(f.tokens.float().masked_fill(~f.mask[:, :, None], 0), dim=-1)
                for f in (first, second)
            )
            costs_RTK = 1 - one_RTD @ other_RKD.transpose(1, 2)
            plan_RTK = transport(
                costs_RTK.detach(), first.mask, second.mask, self.config.beta, self.config.steps
            )
            return (plan_RTK * costs_RTK).sum(dim=(1, 2))


def transport(
    costs_RTK: Tensor, first_RT: Tensor, second_RK: Tensor, beta: float, steps: int
) -> Tensor:
    """(R, T, K) how much of each token goes where, summing to 1; nothing from or to padding.

    The inexact proximal point method (IPOT: Xie et al. 2018, arXiv:1802.04307, algorithm 1). Unlike
    Sinkhorn's method it converges to the exact plan for every beta, which sets only the speed.
    """
    pairs_RTK = first_RT[:, :, None] & second_RK[:, None, :]
    kernel_RTK = torch.exp(-costs_RTK / beta).masked_fill(~pairs_RTK, 0)
    from_RT = share(first_RT)
    to_RK = share(second_RK)
    plan_RTK = pairs_RTK.to(costs_RTK)
    scale_RK = to_RK
    for _ in range(steps):
        step_RTK = kernel_RTK * plan_RTK
        scale_RT = divided(from_RT, (step_RTK @ scale_RK[:, :, None])[:, :, 0])
        scale_RK = divided(to_RK, (scale_RT[:, None] @ step_RTK)[:, 0])
        plan_RTK = scale_RT[:, :, None] * step_RTK * scale_RK[:, None, :]
    return plan_RTK


def share(mask_RT: Tensor) -> Tensor:
    """(R, T) equal weights for all real tokens of a row, with sum 1."""
    return mask_RT / mask_RT.sum(dim=1, keepdim=True)


def divided(part: Tensor, by: Tensor) -> Tensor:
    """part / by; 0 where part is 0."""
    return torch.where(part > 0, part / by.clamp(min=torch.finfo(by.dtype).tiny), 0)


@dataclass(frozen=True)
class AlignmentConfig(Config[Objective]):
    """Word-region alignment by optimal transport (UNITER)."""

    streams: tuple[str, str] = ("text", "image")
    """The two streams; their tokens have one width after fusion."""
    beta: float = 0.5
    """Step size of the transport's search."""
    steps: int = 50
    """Steps of the transport's search."""

    def __post_init__(self) -> None:
        if self.streams[0] == self.streams[1]:
            raise ValueError(f"both streams are '{self.streams[0]}', expected two different ones")
        require(self, beta=POSITIVE, steps=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(encoders=self.streams, together=self.streams)

    def build(self) -> Alignment:
        return Alignment(self)
