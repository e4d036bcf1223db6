"""Decoders that generate a value, such as a picture, from a context and, usually, noise."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Settings
from weft.core.errors import WeftError
from weft.core.ranges import COUNT, NOT_NEGATIVE, POSITIVE, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape


@dataclass(frozen=True)
class DrawingConfig(Settings):
    """How values are generated."""

    steps: int = 16
    """Number of steps of a flow. Other decoders need only one."""
    guidance: float = 1.0
    """Scale of classifier-free guidance in a flow (Ho & Salimans 2022, arXiv:2207.12598). 1: as trained. Larger
    values, such as 2, follow the context more closely and vary less."""
    guided: tuple[float, float] = (0.0, 1.0)
    """Time interval of a flow in which guidance is used; 0 is the noise and 1 the value. A step outside it needs one
    evaluation instead of two (Kynkäänniemi et al. 2024, arXiv:2404.07724)."""
    solver: Literal["euler", "heun"] = "euler"
    """Solver of a flow: euler, or heun with two evaluations in each step."""
    shift: float = 1.0
    """Above 1, more steps of a flow are near the noise: the time of step n of N is u / (u + shift * (1 - u)) with u =
    n / N (Esser et al. 2024, arXiv:2403.03206, equation 23). A large picture needs it: its average over many pixels
    is visible at almost pure noise, so ground and places of objects are decided there."""
    latent: Literal["mean", "sample"] = "mean"
    """What a variational autoencoder generates from: the mean of the latent distribution of the given streams, or a sample."""
    seed: int = 0
    """Seed of the noise. The noise of a row depends on the seed and the row, not on other rows."""

    def __post_init__(self) -> None:
        require(self, steps=COUNT, guidance=NOT_NEGATIVE, shift=POSITIVE, seed=at_least(0))
        first, last = self.guided
        if not 0 <= first < last <= 1:
            raise ValueError(
                f"guided is {self.guided}, expected two times from 0 to 1, the first before the second"
            )


OF_LATENT = frozenset({"latent", "seed"})
"""Settings that have an effect if the context is a latent which can be sampled, whatever the decoder."""
EVERY_SETTING = frozenset(field.name for field in fields(DrawingConfig)) - {"latent"}
"""Settings of a flow."""


@runtime_checkable
class Drawer(Protocol):
    """A decoder that generates values.

    settings: names of those of `DrawingConfig` that have an effect; without noise, not the seed. shape: of one value:
    (3, H, W) for a picture in [-1, 1], (T, M) for the frames of a sound. noise: shape of the noise for one value, () if
    it needs none. As a decoder it maps (context, noise) to values with default settings; noise defaults to zeros.
    """

    settings: frozenset[str]
    shape: tuple[int, ...]
    noise: tuple[int, ...]

    def draw(self, context: Features, noise: Tensor | None, way: DrawingConfig) -> Tensor: ...

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor: ...

    def __call__(self, context: Features, prefix: Field | None = None) -> Tensor: ...


def drawer_of(decoder: object) -> Drawer:
    """Returns the decoder if it generates values. Raises WeftError that names what it lacks."""
    if isinstance(decoder, Drawer):
        return decoder
    wanted = ("settings", "shape", "noise", "draw")
    lacking = ", ".join(name for name in wanted if not hasattr(decoder, name))
    raise WeftError(
        f"decoder {type(decoder).__name__} generates nothing: it lacks {lacking}, expected as in "
        "weft.decoders.drawing.Drawer"
    )


@runtime_checkable
class DrawsLengths(Protocol):
    """A decoder whose values have different lengths, such as sounds. Its output is padded to the longest."""

    def lengths(self, context: Features) -> Tensor:
        """(B,) int64 length of each row's value."""
        ...


@runtime_checkable
class Shaped(Protocol):
    """The config of a generating part, with the shape of one value."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def checked_noise(noise: Tensor | None, context: Features, shape: tuple[int, ...]) -> Tensor:
    """Returns the noise (B, *shape). Raises ValueError if it is missing or has another shape."""
    expected = (context.pooled.shape[0], *shape)
    found = None if noise is None else tuple(noise.shape)
    if noise is None or found != expected:
        raise ValueError(f"noise has shape {found}, expected {expected}")
    return noise


def noise_of(prefix: Field | None, context: Features, shape: tuple[int, ...]) -> Tensor:
    """Returns the noise in the prefix, (B, *shape); zeros without a prefix. Raises ValueError for another shape."""
    if prefix is None:
        return context.pooled.new_zeros(context.pooled.shape[0], *shape)
    return checked_noise(prefix.values, context, shape)


class OneStep(nn.Module, ABC):
    """A decoder that generates in one step from one vector: the pooled context (B, D) concatenated with noise (B, N).

    With noise, the context is normalised to the scale of the noise; otherwise a context of small numbers has no
    effect (as in StyleGAN2-ADA: Karras et al. 2020, arXiv:2006.06676).

    A subclass implements `made` for the vector (B, D + N). shape: of one value. noise: N, 0 for none.
    """

    def __init__(self, context_dim: int, noise: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.context_dim, self.shape = context_dim, shape
        self.noise = (noise,) if noise else ()
        self.settings = frozenset({"seed"}) if noise else frozenset()

    @abstractmethod
    def made(self, vector_BK: Tensor, context: Features) -> Tensor:
        """Generates (B, *shape) from the vector; the context has the tokens."""

    def draw(
        self,
        context: Features,
        noise: Tensor | None,
        way: DrawingConfig,  # noqa: ARG002
    ) -> Tensor:
        """(B, *shape). Raises ValueError for a context or noise of another shape, or for missing noise."""
        check_shape(context.pooled, "B D", "the context", D=self.context_dim)
        vector_BK = context.pooled
        if self.noise:
            found = checked_noise(noise, context, self.noise)
            normed_BD = F.layer_norm(vector_BK, (self.context_dim,))
            vector_BK = torch.cat([normed_BD, found.to(vector_BK.dtype)], dim=1)
        return self.made(vector_BK, context)

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Generates from the noise in the prefix, (B, N)."""
        noise = noise_of(prefix, context, self.noise) if self.noise else None
        return self.draw(context, noise, DrawingConfig())
