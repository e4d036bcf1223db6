"""A convolution over time on channels-last tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeConvolution(nn.Conv1d):
    """(B, T, D) -> (B, T', K), with the weights of `nn.Conv1d`.

    It is computed as a 2D convolution over a picture of one row, channels last: on CPUs about twice as fast.
    """

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight[:, :, None].contiguous(memory_format=torch.channels_last)
        grid_BD1T = input.transpose(1, 2)[:, :, None]
        found_BK1T = F.conv2d(
            grid_BD1T,
            weight,
            self.bias,
            (1, *self.stride),
            (0, *map(int, self.padding)),
            (1, *self.dilation),
            self.groups,
        )
        found: Tensor = found_BK1T[:, :, 0].transpose(1, 2)
        return found
