"""Decoders that draw a value, such as a picture, out of what they read and, most of them, out of noise."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Settings
from weft.core.ranges import COUNT, NOT_NEGATIVE, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape


@dataclass(frozen=True)
class DrawingConfig(Settings):
    """How values are drawn."""

    steps: int = 16
    """Steps of a flow; other decoders draw in one."""
    guidance: float = 1.0
    """How far a flow goes from what it draws without the context towards what it draws with it, and beyond
    (classifier-free guidance, Ho & Salimans 2022, arXiv:2207.12598): 1 as it was trained, 2 truer to the context and
    less varied."""
    guided: tuple[float, float] = (0.0, 1.0)
    """Of a flow: from which time to which it is guided, 0 the noise and 1 the value. A step outside needs one
    evaluation in place of two (Kynkäänniemi et al. 2024, arXiv:2404.07724)."""
    solver: Literal["euler", "heun"] = "euler"
    """Of a flow: euler, or heun with two evaluations a step."""
    seed: int = 0
    """Of the noise. What is drawn of a row depends on it and on the row, and on no other row."""

    def __post_init__(self) -> None:
        require(self, steps=COUNT, guidance=NOT_NEGATIVE, seed=at_least(0))
        first, last = self.guided
        if not 0 <= first < last <= 1:
            raise ValueError(
                f"guided is {self.guided}, expected two times from 0 to 1, the first before the second"
            )


@runtime_checkable
class Drawer(Protocol):
    """A decoder that draws.

    shape: of one value: (3, H, W) of a picture in [-1, 1], (T, M) of the frames of a sound. noise: shape of the noise
    that it draws a value from, () of one that reads its context alone. As a decoder, (context, noise) -> values
    with the settings that it has; without noise that of zeros.
    """

    shape: tuple[int, ...]
    noise: tuple[int, ...]

    def draw(self, context: Features, noise: Tensor | None, way: DrawingConfig) -> Tensor: ...

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor: ...

    def __call__(self, context: Features, prefix: Field | None = None) -> Tensor: ...


@runtime_checkable
class DrawsLengths(Protocol):
    """A decoder whose values are of different lengths, such as sounds; what it draws is padded to the longest."""

    def lengths(self, context: Features) -> Tensor:
        """(B,) int64 the length of each row's value."""
        ...


@runtime_checkable
class Shaped(Protocol):
    """The config of a part that draws: the shape of one value."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def checked_noise(noise: Tensor | None, context: Features, shape: tuple[int, ...]) -> Tensor:
    """The noise (B, *shape). Raises ValueError where there is none, or it has another shape."""
    expected = (context.pooled.shape[0], *shape)
    found = None if noise is None else tuple(noise.shape)
    if noise is None or found != expected:
        raise ValueError(f"noise has shape {found}, expected {expected}")
    return noise


def noise_of(prefix: Field | None, context: Features, shape: tuple[int, ...]) -> Tensor:
    """The noise that a decoder was given, (B, *shape); zeros without any. Raises ValueError for another shape."""
    if prefix is None:
        return context.pooled.new_zeros(context.pooled.shape[0], *shape)
    return checked_noise(prefix.values, context, shape)


class OneStep(nn.Module, ABC):
    """A decoder that draws in one step from one vector: the pooled context (B, D) and noise (B, N) beside it.

    Beside noise the context is normalised to the noise's scale, else a context of small numbers is not heard (as in
    StyleGAN2-ADA: Karras et al. 2020, arXiv:2006.06676).

    A subclass says what `made` makes of the vector (B, D + N). shape: of one value. noise: N, 0 for none.
    """

    def __init__(self, context_dim: int, noise: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.context_dim, self.shape = context_dim, shape
        self.noise = (noise,) if noise else ()

    @abstractmethod
    def made(self, vector_BK: Tensor, context: Features) -> Tensor:
        """(B, *shape) of the vector; the context has the tokens."""

    def draw(
        self,
        context: Features,
        noise: Tensor | None,
        way: DrawingConfig,  # noqa: ARG002
    ) -> Tensor:
        """(B, *shape). Raises ValueError for a context or noise of another shape, and where noise is missing."""
        check_shape(context.pooled, "B D", "the context", D=self.context_dim)
        vector_BK = context.pooled
        if self.noise:
            found = checked_noise(noise, context, self.noise)
            normed_BD = F.layer_norm(vector_BK, (self.context_dim,))
            vector_BK = torch.cat([normed_BD, found.to(vector_BK.dtype)], dim=1)
        return self.made(vector_BK, context)

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Draws from the noise that the prefix holds, (B, N)."""
        noise = noise_of(prefix, context, self.noise) if self.noise else None
        return self.draw(context, noise, DrawingConfig())
