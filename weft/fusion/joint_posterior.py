"""The joint posterior of a multimodal autoencoder: combines the latent distributions of all streams."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.draws import normal, uniform
from weft.core.interfaces import JOINT, Fusion
from weft.core.ranges import COUNT, require
from weft.core.records import Features
from weft.fusion._streams import check_widths, in_order

Joining = Literal["mean", "product", "mixture", "mixture_of_products", "total_correlation"]
LEAST, MOST = -8.0, 8.0
"""Bounds of the logarithm of a variance."""


class Gaussian(NamedTuple):
    """Normal distributions with independent parts, (..., L) each."""

    mean: Tensor
    log_variance: Tensor

    def divergence(self, other: "Gaussian | None" = None) -> Tensor:
        """(...,) Kullback-Leibler divergence from `other`, or from the standard normal distribution."""
        if other is None:
            return 0.5 * (self.mean**2 + self.log_variance.exp() - 1 - self.log_variance).sum(-1)
        ratio = (self.log_variance - other.log_variance).exp()
        apart = (self.mean - other.mean) ** 2 / other.log_variance.exp()
        return 0.5 * (ratio + apart - 1 - self.log_variance + other.log_variance).sum(-1)


class Experts(NamedTuple):
    """The latent distributions of S streams. each: (S, B, L). present: (S, B) False if a row lacks the stream."""

    each: Gaussian
    present: Tensor


class JointPosterior(nn.Module):
    """{stream: Features} -> JOINT: the latent of a row's streams; its one token and its pooled vector are the mean.

    A stream's pooled vector is the mean of its own distribution, so that the embeddings of streams lie in the latent
    space. The logarithm of its variance is a linear map of it. Methods of joining:
    - mean: the mean of the means, without variances, for a deterministic autoencoder.
    - product: the product of the streams' distributions and the prior (MVAE: Wu & Goodman 2018, arXiv:1802.05335,
      section 2.2).
    - mixture: each stream alone, with equal probability (MMVAE: Shi et al. 2019, arXiv:1911.03393, section 3).
    - mixture_of_products: the products of all subsets of streams, with equal probability (MoPoE: Sutter et al. 2021,
      arXiv:2105.02470, section 3).
    - total_correlation: the product of the streams (MVTCAE: Hwang et al. 2021, NeurIPS, section 4).
    """

    def __init__(self, config: "JointPosteriorConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = config.streams
        self.log_variance = nn.ModuleDict(
            {} if config.joining == "mean" else {s: _small(config.dim) for s in config.streams}
        )

    def experts(self, streams: Mapping[str, Features]) -> Experts:
        """Returns the distribution of each stream. Streams that the batch lacks are present in no row."""
        some = next(iter(streams.values())).pooled
        means, log_variances, present = [], [], []
        for stream in self.streams:
            features = streams.get(stream)
            if features is None:
                features = Features.absent(len(some), self.dim, some.device)
            means.append(features.pooled.float())
            spread = (
                torch.zeros_like(means[-1])
                if not self.log_variance
                else self.log_variance[stream](features.pooled).float().clamp(LEAST, MOST)
            )
            log_variances.append(spread)
            present.append(features.present)
        return Experts(
            Gaussian(torch.stack(means), torch.stack(log_variances)), torch.stack(present)
        )

    def joined(self, experts: Experts, chosen_SB: Tensor) -> Gaussian:
        """(B, L) the joint distribution of the chosen streams of each row; the prior if a row has none of them."""
        chosen_SB1 = (chosen_SB & experts.present)[..., None].to(experts.each.mean.dtype)
        if self.config.joining == "mean":
            total = (experts.each.mean * chosen_SB1).sum(0)
            mean = total / chosen_SB1.sum(0).clamp_min(1)
            return Gaussian(mean, torch.full_like(mean, LEAST))
        precision_SBL = (-experts.each.log_variance).exp() * chosen_SB1
        none_B1 = chosen_SB1.sum(0) == 0
        prior = torch.ones_like(none_B1, dtype=precision_SBL.dtype)
        if self.config.joining != "product":
            prior = torch.where(none_B1, prior, 0)
        precision_BL = precision_SBL.sum(0) + prior
        mean = (precision_SBL * experts.each.mean).sum(0) / precision_BL
        return Gaussian(mean, -precision_BL.log())

    @property
    def variational(self) -> bool:
        return self.config.joining != "mean"

    def sampled(
        self, streams: Mapping[str, Features], seeds_B: Tensor, name: str
    ) -> dict[str, Features]:
        """As `forward`, but JOINT is a sample of the distribution of all streams that a row has; of a mixture, of one of
        its streams. Without variances it is the mean."""
        given = in_order(streams, self.config.widths)
        experts = self.experts(given)
        chosen_SB = experts.present
        if self.config.joining == "mixture":
            chosen_SB = one_of(chosen_SB, uniform(seeds_B, f"{name}: stream", 1)[:, 0])
        posterior = self.joined(experts, chosen_SB)
        sampled_BL = posterior.mean
        if self.variational:
            spread_BL = (posterior.log_variance / 2).exp()
            sampled_BL = sampled_BL + normal(seeds_B, name, self.dim) * spread_BL
        return {**given, JOINT: latent(sampled_BL, experts.present.any(dim=0))}

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        given = in_order(streams, self.config.widths)
        experts = self.experts(given)
        there_B = experts.present.any(dim=0)
        if self.config.joining == "mixture":
            # The mean of a mixture is the mean of the means.
            share_SB1 = experts.present[..., None].float()
            mean_BL = (experts.each.mean * share_SB1).sum(0) / share_SB1.sum(0).clamp_min(1)
        else:
            mean_BL = self.joined(experts, experts.present).mean
        return {**given, JOINT: latent(mean_BL, there_B)}


def one_of(present_SB: Tensor, uniform_B: Tensor) -> Tensor:
    """(S, B) one of the streams that each row has, by a number in [0, 1); none if it has none."""
    count_B, place_SB = present_SB.sum(0), present_SB.cumsum(0) - 1
    return present_SB & (place_SB == (uniform_B * count_B).long())


def latent(values_BL: Tensor, there_B: Tensor) -> Features:
    """Returns a latent as the context of decoders: one token, and the pooled vector."""
    values_BL = values_BL.masked_fill(~there_B[:, None], 0)
    return Features(values_BL[:, None], there_B[:, None], values_BL)


def _small(dim: int) -> nn.Linear:
    """Returns a linear map that starts with a variance of e ** -2 everywhere, so that decoders can learn."""
    layer = nn.Linear(dim, dim)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, -2.0)
    return layer


@dataclass(frozen=True)
class JointPosteriorConfig(Config[Fusion]):
    """One latent of all streams, for autoencoders of several modalities."""

    streams: tuple[str, ...]
    """Streams that are joined; the pooled vectors of all have the width of the latent."""
    dim: int
    """Width of the latent."""
    joining: Joining = "product"
    """mean (deterministic), product (MVAE), mixture (MMVAE), mixture_of_products (MoPoE), total_correlation (MVTCAE)."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT)
        check_widths(self.widths)

    @property
    def widths(self) -> dict[str, int]:
        """Stream -> width."""
        return dict.fromkeys(self.streams, self.dim)

    def build(self) -> JointPosterior:
        return JointPosterior(self)
