"""Training rows that are noise with an empty transcript, so that a recogniser learns to output nothing for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from weft.core.config import Settings
from weft.core.interfaces import MakesNoise, Modality, Target
from weft.core.ranges import POSITIVE, SHARE, require

DRAWS = "/noise only"
"""Names the random numbers of a row that decide whether it becomes noise."""


@dataclass(frozen=True)
class NoiseOnlyConfig(Settings):
    """A share of the training rows is replaced by noise or silence without speech."""

    share: float
    """Share of the rows."""
    stream: str = "audio"
    """Stream of sounds that is replaced. The row loses its other streams, which therefore have to be optional."""
    target: str = "transcript"
    """Target that becomes the empty transcript."""
    seconds: tuple[float, float] = (0.3, 1.0)
    """Shortest and longest noise."""

    def __post_init__(self) -> None:
        require(self, share=SHARE, seconds=POSITIVE)
        if not self.seconds[0] <= self.seconds[1]:
            raise ValueError(f"seconds is {self.seconds}, expected the shortest first")


class NoiseOnly:
    """Returns a loaded row, or noise in its place. All random choices come from the row's generator."""

    def __init__(
        self,
        config: NoiseOnlyConfig,
        modalities: Mapping[str, Modality],
        targets: Mapping[str, Target],
    ) -> None:
        """Raises ValueError if the stream's modality cannot make noise."""
        modality = modalities.get(config.stream)
        if not isinstance(modality, MakesNoise):
            what = "no stream" if modality is None else f"a {type(modality).__name__}"
            raise ValueError(f"noise_only.stream is '{config.stream}', {what}, expected sounds")
        self._config: NoiseOnlyConfig = config
        self._modality: MakesNoise = modality
        self._others: tuple[str, ...] = tuple(name for name in modalities if name != config.stream)
        self._empty: Any = targets[config.target].read("")

    def __call__(self, values: Mapping[str, Any], generator: torch.Generator) -> dict[str, Any]:
        config = self._config
        replaced, share = torch.rand(2, generator=generator).tolist()
        if replaced >= config.share:
            return dict(values)
        shortest, longest = config.seconds
        noise = self._modality.noise(shortest + (longest - shortest) * share, generator)
        return {
            **values,
            **dict.fromkeys(self._others),
            config.stream: noise,
            config.target: self._empty,
        }
