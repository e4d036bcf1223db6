"""Mixup: mixes training rows in pairs, with the ratio as target (Zhang et al. 2018, arXiv:1710.09412)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Settings
from weft.core.errors import DataError
from weft.core.interfaces import Mixable, Modality
from weft.core.ranges import POSITIVE, SHARE, require
from weft.core.records import Batch

RATIO = "mix/ratio"
"""Name of the batch target with each row's own share in the mix."""
OTHER = "mix/"
"""Prefix of the targets of the partner row."""
DRAWS = "/mix"
"""Names the random numbers of a row that decide its mixing."""


@dataclass(frozen=True)
class MixConfig(Settings):
    """Which streams of a training row are mixed with those of another row.

    Objectives that compare a head with a target weight the row's own cost by the ratio, and the cost with the other
    row's target by the rest.
    """

    streams: tuple[str, ...]
    """Streams to mix: sounds, whose power is mixed, and pictures."""
    alpha: float = 0.4
    """The ratio is sampled from Beta(alpha, alpha). A smaller alpha keeps mixed rows closer to a single row."""
    share: float = 1.0
    """Share of the rows that are mixed."""

    def __post_init__(self) -> None:
        require(self, alpha=POSITIVE, share=SHARE)


class Mixing:
    """Mixes a loaded row with another one. All random choices come from the row's generator."""

    def __init__(self, config: MixConfig, modalities: Mapping[str, Modality], rows: int) -> None:
        """Raises ValueError if a stream is unknown or cannot be mixed."""
        self._config, self._rows = config, rows
        self._modalities: dict[str, Mixable] = {}
        for stream in config.streams:
            modality = modalities.get(stream)
            if not isinstance(modality, Mixable):
                what = "no stream" if modality is None else f"a {type(modality).__name__}"
                raise ValueError(
                    f"mix.streams names '{stream}', {what}, expected sounds or pictures"
                )
            self._modalities[stream] = modality

    def __call__(
        self,
        values: dict[str, Any],
        generator: torch.Generator,
        load: Callable[[int], Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Returns the mixed values of the row, and the targets of the other row. load: returns the values of the row
        with a given number.

        A row that lacks one of the streams stays as it is. So does a row whose partner lacks one or is unreadable.
        """
        ratio, other = self._ratio(generator), self._other(generator)
        others: Mapping[str, Any] = {}
        if ratio < 1:
            try:
                others = load(other)
            except DataError:
                ratio = 1.0
        if any(values[name] is None or others.get(name) is None for name in self._modalities):
            ratio = 1.0
        if ratio == 1:
            others = values
        mixed = {
            name: modality.mix(values[name], others[name], ratio)
            for name, modality in self._modalities.items()
            if ratio < 1
        }
        return {**values, **mixed, RATIO: ratio, OTHER: others}

    def _ratio(self, generator: torch.Generator) -> float:
        """Samples the row's own share, which is the larger one, so that each row is mostly seen as itself."""
        alpha = torch.tensor([self._config.alpha] * 2, dtype=torch.float64)
        drawn = torch._sample_dirichlet(alpha, generator=generator)
        mixes = torch.rand((), generator=generator).item() < self._config.share
        return float(drawn.max()) if mixes else 1.0

    def _other(self, generator: torch.Generator) -> int:
        return int(torch.randint(self._rows, (), generator=generator))


def mixed_target(batch: Batch, name: str) -> tuple[Tensor, Tensor] | None:
    """Returns (ratio (B,), the other row's target) if the batch is mixed, else None."""
    if RATIO not in batch.targets:
        return None
    return batch.targets[RATIO], batch.targets[OTHER + name]
