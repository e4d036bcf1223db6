"""The interface of a codec."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Codec(Protocol):
    """Values (B, *shape) -> latents (B, *latents) and back.

    Latents have a mean square of about 1, as the noise of a flow has.
    """

    shape: tuple[int, ...]
    latents: tuple[int, ...]

    def encode(self, values_BX: Tensor) -> Tensor: ...

    def decode(self, latents_BX: Tensor) -> Tensor: ...


@runtime_checkable
class Coded(Protocol):
    """The config of a codec, with the shape of one value and of its latents."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def latents(self) -> tuple[int, ...]: ...
