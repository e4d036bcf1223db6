"""Vectors computed by other programs: one for each row, or a sequence, such as features of sound or of a face."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Word
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Modality
from weft.core.kinds import Kind
from weft.core.media import Media
from weft.core.ranges import COUNT, POSITIVE, require
from weft.core.records import Field
from weft.modalities.parts import TokenParts
from weft.modalities.pictures import stacked


class Vectors(TokenParts):
    """A vector (D,), a list of them or an array (T, D) -> float32 (T, D), the first `most` of them.

    Each of the D numbers is normalised to mean 0 and standard deviation 1 over the vectors of the training rows, and
    clipped at +-`clip`. A number that is constant in training becomes 0.
    """

    media: Kind = "array"

    def __init__(self, config: "VectorsConfig") -> None:
        super().__init__(self)
        self.config = config
        self._mean, self._std = np.zeros(config.dim), np.ones(config.dim)

    def decode(self, raw: Any) -> np.ndarray:
        """(T, D) float64. Raises WeftError unless it consists of vectors of width D with finite numbers."""
        try:
            rows = [np.atleast_2d(one.astype(np.float64)) for one in _arrays(raw)]
        except (TypeError, ValueError):
            raise WeftError(f"is {brief(raw)}, expected vectors of numbers") from None
        width = self.config.dim
        for one in rows:
            if one.ndim != 2 or one.shape[1] != width or not len(one):
                raise WeftError(f"has shape {one.shape}, expected vectors of width {width}")
            if not np.isfinite(one).all():
                raise WeftError(
                    "holds numbers that are not finite, expected a number in each place"
                )
        if not rows:
            raise WeftError("is an empty list, expected one vector or more")
        return np.concatenate(rows)[: self.config.most]

    def transform(
        self,
        item: np.ndarray,
        *,
        train: bool,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        view: int = 0,  # noqa: ARG002
    ) -> Tensor:
        """(T, D), the same in training and evaluation."""
        scaled_TD = ((item - self._mean) / self._std).clip(-self.config.clip, self.config.clip)
        return torch.from_numpy(scaled_TD.astype(np.float32))

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B rows -> Field of float32 (B, T, D), padded with zeros, mask (B, T)."""
        return stacked(items)

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns mean and standard deviation. Raises WeftError if no row has a readable vector."""
        found, first_error = [], None
        for raw in raws:
            try:
                found.append(self.decode(raw))
            except WeftError as error:
                first_error = first_error or error
        if not found:
            raise first_error or WeftError("no training row has a vector")
        rows_RD = np.concatenate(found)
        std_D = rows_RD.std(0)
        self._mean = rows_RD.mean(0)
        self._std = np.where(std_D > 1e-9 * abs(rows_RD).max(0), std_D, np.inf)

    def state(self) -> dict[str, Any]:
        stds = [std if math.isfinite(std) else None for std in self._std.tolist()]
        return {"mean": self._mean.tolist(), "std": stds}

    def restore(self, state: Mapping[str, Any]) -> None:
        try:
            mean_D = np.array(state["mean"], dtype=np.float64)
            std_D = np.array([math.inf if one is None else one for one in state["std"]], float)
        except (KeyError, TypeError, ValueError):
            raise WeftError(f"is {brief(state)}, expected mean and std") from None
        width = self.config.dim
        if mean_D.shape != (width,) or std_D.shape != (width,) or not (std_D > 0).all():
            raise WeftError(f"is not the mean and std of vectors of width {width}")
        self._mean, self._std = mean_D, std_D

    def show(self, raw: Any) -> Display:
        """Displays the number of vectors and their width."""
        count = len(self.decode(raw))
        said = (
            f"{self.config.dim} numbers" if count == 1 else f"{count} x {self.config.dim} numbers"
        )
        return Display(words=(Word(said),))


def _arrays(raw: Any) -> list[np.ndarray]:
    """Returns one array for a single value, or one for each vector of a list."""
    several = isinstance(raw, list | tuple) and any(not isinstance(one, int | float) for one in raw)
    parts = raw if several else [raw]
    return [one.array() if isinstance(one, Media) else np.asarray(one) for one in parts]


@dataclass(frozen=True)
class VectorsConfig(Config[Modality]):
    """Vectors from other programs, such as openSMILE features of a sound."""

    dim: int
    """Width of each vector."""
    most: int = 512
    """Maximum vectors of a row. Of more, the first ones are read."""
    clip: float = 5.0
    """Limit of a value's distance from the mean, in standard deviations."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, most=COUNT, clip=POSITIVE)

    def build(self) -> Vectors:
        return Vectors(self)
