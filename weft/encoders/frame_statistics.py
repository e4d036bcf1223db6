"""Features of a sound without weights: statistics over its frames."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.values import vector_features


class FrameStatistics(nn.Module):
    """Frames (B, T, M) -> pooled (B, 6 M): mean, standard deviation and maximum of each band over time, then the same
    of the absolute differences between consecutive frames. tokens: the vector itself. Nothing is learned."""

    def __init__(self, config: "FrameStatisticsConfig") -> None:
        super().__init__()
        self.bands = config.bands
        self.dim = 6 * config.bands

    def forward(self, field: Field) -> Features:
        """Mask (B, T), or None if all frames are real. A sound without frames gives zeros."""
        check_shape(field.values, "B T M", "frames of a sound", M=self.bands)
        values_BTM = field.values.float()
        mask_BT = field.real
        values_BTM = values_BTM.masked_fill(~mask_BT[..., None], 0)
        steps_BTM = values_BTM.diff(dim=1).abs()
        both_BT = mask_BT[:, 1:] & mask_BT[:, :-1]
        parts = _statistics(values_BTM, mask_BT) + _statistics(steps_BTM, both_BT)
        return vector_features(torch.cat(parts, dim=1))


def _statistics(values_BTM: Tensor, mask_BT: Tensor) -> list[Tensor]:
    """Mean, standard deviation and maximum (B, M) over the real frames."""
    if not values_BTM.shape[1]:
        return [values_BTM.new_zeros(values_BTM.shape[0], values_BTM.shape[2])] * 3
    there_BT1 = mask_BT[..., None]
    count_B1 = mask_BT.sum(1, keepdim=True).clamp_min(1)
    mean_BM = values_BTM.masked_fill(~there_BT1, 0).sum(1) / count_B1
    apart_BTM = (values_BTM - mean_BM[:, None]).masked_fill(~there_BT1, 0)
    deviation_BM = (apart_BTM.square().sum(1) / count_B1).sqrt()
    largest_BM = values_BTM.masked_fill(~there_BT1, -torch.inf).amax(1)
    return [mean_BM, deviation_BM, largest_BM.masked_fill(~mask_BT.any(1, keepdim=True), 0)]


@dataclass(frozen=True)
class FrameStatisticsConfig(Config[Encoder]):
    """Statistics over time of the frames of a sound."""

    bands: int
    """Width of a frame: mel bands or cepstra."""

    def __post_init__(self) -> None:
        require(self, bands=COUNT)

    def build(self) -> FrameStatistics:
        return FrameStatistics(self)
