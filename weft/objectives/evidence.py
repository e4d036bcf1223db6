"""The evidence lower bound of a multimodal autoencoder: reconstruction from a sample of the joint posterior, and
its divergence.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import NOT_NEGATIVE, SHARE, require
from weft.core.records import Batch, Loss
from weft.fusion.joint_posterior import Experts, Gaussian, JointPosterior, latent, one_of
from weft.objectives._presence import nothing
from weft.objectives.reconstruction import ReconstructionConfig


class Evidence(nn.Module):
    """Every stream of a row is reconstructed from a latent of some of its streams, sampled for each row.

    Which and what is added depends on how the fusion joins (see `JointPosterior`):

    mean: any set, nothing. product: all of them or, in half of the rows, any set (the sub-sampling of Wu & Goodman 2018,
    arXiv:1802.05335, section 2.2), and the divergence from the prior. mixture: one of them, the divergence of its own
    distribution. mixture_of_products: any set, the divergence of its product (Sutter et al. 2021, arXiv:2105.02470,
    section 3, the bound with the mean of the divergences). total_correlation: all of them, and the divergence from the prior
    and from what each stream says alone (Hwang et al. 2021, NeurIPS, equation 9). All non-empty sets of the streams that a row
    has are equally probable.
    """

    def __init__(self, config: "EvidenceConfig") -> None:
        super().__init__()
        self.config = config
        self.reconstruction = config.reconstruction.build()

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        fusion = model.fusion
        if not isinstance(fusion, JointPosterior):
            raise ValueError(
                f"the model's fusion is a {type(fusion).__name__}, expected a JointPosterior"
            )
        features = {s: streams.features(s) for s in model.fused_streams}
        experts = fusion.experts(features)
        there_B = experts.present.any(dim=0)
        posterior = fusion.joined(experts, self.chosen(fusion, experts, batch))
        noise_BL = batch.normal("evidence: latent", fusion.dim)
        sampled_BL = posterior.mean
        if fusion.config.joining != "mean":
            sampled_BL = sampled_BL + noise_BL * (posterior.log_variance / 2).exp()
        context = latent(sampled_BL, there_B)
        divergence_B = self.divergence(fusion, experts, posterior).masked_fill(~there_B, 0)
        divergence = mean_of_all(divergence_B, there_B.sum())
        total, terms = self.config.divergence * divergence, {"divergence": divergence.detach()}
        for name, weight in self.config.reconstruction.heads.items():
            cost = self.reconstruction.cost(model, name, batch, streams, context)
            if cost is None:
                loss = nothing(model.head(name), batch).total
            else:
                has_B = cost.there & there_B
                loss = mean_of_all(cost.each.masked_fill(~has_B, 0), has_B.sum())
            total, terms[name] = total + weight * loss, loss.detach()
        return Loss(total, terms)

    def chosen(self, fusion: JointPosterior, experts: Experts, batch: Batch) -> Tensor:
        """(S, B) the streams of each row from which the latent is computed; at least one of those that it has."""
        present_SB, joining = experts.present, fusion.config.joining
        if joining == "total_correlation":
            return present_SB
        draw_B = batch.uniform("evidence: streams", 1)[:, 0]
        if joining == "mixture":
            return one_of(present_SB, draw_B)
        count_B, place_SB = present_SB.sum(0), present_SB.cumsum(0) - 1
        # The bits of a number from 1 to 2 ** count - 1 say which of a row's streams are in its set.
        number_B = 1 + (draw_B * (2**count_B - 1)).long()
        any_SB = present_SB & ((number_B >> place_SB.clamp_min(0)) % 2 == 1)
        if joining != "product":
            return any_SB
        whole_B = batch.uniform("evidence: whole", 1)[:, 0] < 0.5
        return torch.where(whole_B, present_SB, any_SB)

    def divergence(self, fusion: JointPosterior, experts: Experts, posterior: Gaussian) -> Tensor:
        """(B,) the divergence that is added to the reconstruction."""
        joining = fusion.config.joining
        if joining == "mean":
            return posterior.mean.new_zeros(len(posterior.mean))
        from_prior_B = posterior.divergence()
        if joining != "total_correlation":
            return from_prior_B
        alpha, count_B = self.config.alone, experts.present.sum(0).clamp_min(1)
        each_SB = torch.stack(
            [
                posterior.divergence(Gaussian(mean, log_variance))
                for mean, log_variance in zip(*experts.each, strict=True)
            ]
        )
        alone_B = (each_SB * experts.present).sum(0) / count_B
        return (1 - alpha) * from_prior_B + alpha * alone_B


@dataclass(frozen=True)
class EvidenceConfig(Config[Objective]):
    """The evidence lower bound of a multimodal autoencoder; its fusion decides whether it is deterministic or variational."""

    reconstruction: ReconstructionConfig = field(default_factory=ReconstructionConfig)
    """The heads, and how what they make is compared."""
    divergence: float = 1e-3
    """Weight of the divergence beside the mean error of a number or a token."""
    alone: float = 0.9
    """With total_correlation: share of the divergence from what each stream says alone; the rest is from the prior."""

    def __post_init__(self) -> None:
        require(self, divergence=NOT_NEGATIVE, alone=SHARE)

    @property
    def needs(self) -> Needs:
        needs = self.reconstruction.needs
        return Needs(heads=needs.heads, fusion=True)

    def build(self) -> Evidence:
        return Evidence(self)
