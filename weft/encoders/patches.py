"""Encodes pictures by the similarity of small patches to learned centroids: one layer, trained without labels.

After A. Coates, H. Lee and A. Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS
2011.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.values import vector_features

QUARTERS = 2
"""Parts along each side of the picture in which responses are summed (section 3.2.2)."""
CONTRAST = 10 / 255
"""Added to a patch's standard deviation before the division by it (section 3.1.1)."""
WHITENING = 0.1
"""Added to the eigenvalues of the patches' covariance."""
LEARNED_FROM = 40_000
"""Total number of patches for learning, from all pictures."""
ROUNDS = 12


class Patches(nn.Module):
    """uint8 (B, 3, H, W) -> pooled (B, 4 K): similarity of the patches in each quarter to each of K centroids.

    A patch is normalised to mean 0 and variance 1, whitened, and compared with the centroids by the triangle function
    max(0, mean distance - distance) (section 3.2.1, equation 2). `learn` computes whitening and centroids by k-means.
    """

    mean: Tensor
    whitening: Tensor
    centroids: Tensor

    def __init__(self, config: "PatchesConfig") -> None:
        super().__init__()
        self.config = config
        width = 3 * config.size**2
        generator = torch.Generator().manual_seed(config.seed)
        self.dim = QUARTERS**2 * config.centroids
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("whitening", torch.eye(width))
        self.register_buffer("centroids", torch.randn(config.centroids, width, generator=generator))

    @torch.no_grad()
    def forward(self, field: Field) -> Features:
        """Square pictures of at least twice the patch's side."""
        check_shape(field.values, "B 3 H W", "pictures")
        patches_BPD, side = self._patches(field.values)
        near_BPK = self._triangle(self._whitened(patches_BPD))
        near_BKSS = near_BPK.transpose(1, 2).reshape(
            near_BPK.shape[0], self.config.centroids, side, side
        )
        pooled_BK22 = F.adaptive_avg_pool2d(near_BKSS, QUARTERS)
        return vector_features(pooled_BK22.flatten(1).sqrt())

    @torch.no_grad()
    def learn(self, fields: Callable[[], Iterable[Field]]) -> None:
        """Learns from patches of these pictures, sampled with the seed. The same pictures give the same result."""
        generator = torch.Generator().manual_seed(self.config.seed)
        pictures = sum(len(field) for field in fields())
        each = max(1, -(-LEARNED_FROM // max(1, pictures)))
        drawn = [self._drawn(field.values, each, generator) for field in fields()]
        patches_ND = torch.cat(drawn)[:LEARNED_FROM].to(self.mean.device)
        self.mean.copy_(patches_ND.mean(dim=0))
        covariance_DD = (patches_ND - self.mean).T @ (patches_ND - self.mean) / len(patches_ND)
        values_D, vectors_DD = torch.linalg.eigh(covariance_DD)
        scale_D = (values_D.clamp_min(0) + WHITENING).rsqrt()
        self.whitening.copy_(vectors_DD * scale_D @ vectors_DD.T)
        self._cluster(self._whitened(patches_ND), generator)

    def _cluster(self, patches_ND: Tensor, generator: torch.Generator) -> None:
        """Runs k-means from randomly sampled patches. A centroid without patches is replaced by a sampled patch."""
        count = self.config.centroids
        order = torch.randperm(len(patches_ND), generator=generator)
        self.centroids.copy_(patches_ND[order.repeat(-(-count // len(order)))[:count]])
        for _ in range(ROUNDS):
            nearest_N = torch.cat(
                [
                    torch.cdist(part, self.centroids).argmin(dim=1)
                    for part in torch.split(patches_ND, 4096)
                ]
            )
            sizes_K = torch.bincount(nearest_N, minlength=count)
            sums_KD = torch.zeros_like(self.centroids).index_add_(0, nearest_N, patches_ND)
            anew_K = torch.randint(len(patches_ND), (count,), generator=generator)
            means_KD = sums_KD / sizes_K.clamp_min(1)[:, None]
            self.centroids.copy_(
                torch.where(sizes_K[:, None] > 0, means_KD, patches_ND[anew_K.to(means_KD.device)])
            )

    def _patches(self, pixels_B3HW: Tensor, stride: int | None = None) -> tuple[Tensor, int]:
        """(B, P, D) patches of mean 0 and variance 1, and their number along a side."""
        step = stride or self.config.stride
        unfolded_BDP = F.unfold(pixels_B3HW.float() / 255, self.config.size, stride=step)
        patches_BPD = unfolded_BDP.transpose(1, 2)
        away_BPD = patches_BPD - patches_BPD.mean(dim=2, keepdim=True)
        scale_BP1 = away_BPD.square().mean(dim=2, keepdim=True).sqrt() + CONTRAST
        return away_BPD / scale_BP1, (pixels_B3HW.shape[2] - self.config.size) // step + 1

    def _drawn(self, pixels_B3HW: Tensor, each: int, generator: torch.Generator) -> Tensor:
        """Samples `each` patches from each picture, (B * each, D)."""
        patches_BPD, _ = self._patches(pixels_B3HW)
        there = patches_BPD.shape[1]
        chosen = torch.randint(there, (len(patches_BPD), each), generator=generator)
        rows = torch.arange(len(patches_BPD))[:, None]
        return patches_BPD[rows, chosen.to(patches_BPD.device)].flatten(0, 1).cpu()

    def _whitened(self, patches: Tensor) -> Tensor:
        return (patches - self.mean) @ self.whitening

    def _triangle(self, patches_BPD: Tensor) -> Tensor:
        """(B, P, K)"""
        square_BP1 = patches_BPD.square().sum(dim=2, keepdim=True)
        square_K = self.centroids.square().sum(dim=1)
        product_BPK = patches_BPD @ self.centroids.T
        distance_BPK = (square_BP1 - 2 * product_BPK + square_K).clamp_min_(0).sqrt_()
        return (distance_BPK.mean(dim=2, keepdim=True) - distance_BPK).clamp_min_(0)


@dataclass(frozen=True)
class PatchesConfig(Config[Encoder]):
    """Similarity of a picture's patches to centroids; learned without labels and gradients."""

    size: int = 6
    """Side of a patch in pixels."""
    stride: int = 2
    """Pixels from one patch to the next."""
    centroids: int = 256
    """Number of centroids K. The pooled vector has four times as many elements."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(self, size=COUNT, stride=COUNT, centroids=COUNT, seed=at_least(0))

    def build(self) -> Patches:
        return Patches(self)
