"""Samples of the latent of a multimodal autoencoder: of its prior, and of a mixture that is fitted after training."""

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from weft.core.draws import normal
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.fusion.joint_posterior import JointPosterior
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.encoded import encode_rows, evaluating_all
from weft.inference.rows import Reading
from weft.runs.measure import training_rows
from weft.runs.trained import TrainedModel

SEED = 0
COMPONENTS = 10
LEAST_VARIANCE = 1e-3
"""Added to each variance of the mixture, so that its covariances stay invertible where the latent hardly varies."""


def prior_samples(fusion: JointPosterior, seeds_N: Tensor) -> Tensor:
    """(N, L) samples of the prior, the standard normal distribution."""
    return normal(seeds_N, f"prior {SEED}", fusion.dim)


def mixture_samples(run: TrainedModel, fusion: JointPosterior, samples: int) -> Tensor:
    """(samples, L) of a mixture that is fitted to one sample of the joint posterior of each training row.

    It follows the latents that the decoders were trained on, which the prior does not (ex-post density estimation: Ghosh
    et al. 2020, arXiv:1903.12436, section 4). Raises WeftError if the training rows are not on this machine, or fewer
    than two can be read.
    """
    latents_RL = training_latents(run, fusion)
    if len(latents_RL) < 2:
        raise WeftError(
            f"{run.folder}: {len(latents_RL)} training rows have a stream, expected two or more for a mixture"
        )
    return samples_like(latents_RL, samples)


def samples_like(latents_RL: Tensor, samples: int) -> Tensor:
    """(samples, L) of a mixture of `COMPONENTS` normal distributions with full covariances, fitted to the latents."""
    latents = latents_RL.double().cpu().numpy()
    components = min(COMPONENTS, len(latents))
    mixture = GaussianMixture(components, reg_covar=LEAST_VARIANCE, random_state=SEED).fit(latents)
    found_NL, _ = mixture.sample(samples)
    shuffled_NL = np.random.default_rng(SEED).permutation(found_NL)  # they are sorted by component
    return torch.from_numpy(shuffled_NL).to(latents_RL)


def training_latents(run: TrainedModel, fusion: JointPosterior) -> Tensor:
    """(R, L) one sample of the joint posterior of each training row that has a stream. Unreadable rows are treated as in
    training. Raises WeftError if the training rows are not on this machine."""
    rows = training_rows(run)
    if rows is None:
        raise WeftError(
            f"{run.folder}: its training rows are not on this machine; the mixture is fitted to their latents"
        )
    member = run.reading(rows)
    config = InferenceConfig(batch_size=BATCH, errors=run.recipe.data.errors)
    reader = (member, Reading.of(member, rows, run.model.fused_streams))
    found: list[Tensor] = []
    with evaluating_all([member], config, run.device):
        for one in encode_rows([reader], rows, config, device=run.device, what="encoding"):
            numbers_B = torch.tensor(one.numbers, device=run.device)
            joint = fusion.sampled(one.streams[0], numbers_B, f"posterior {SEED}")[JOINT]
            found.append(joint.pooled[joint.present])
    return torch.cat(found)
