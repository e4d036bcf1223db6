"""Attention by content and by distance (Dai et al. 2019, arXiv:1901.02860, section 3.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.layers.packing import Packing
from weft.layers.positions import sine_positions
from weft.layers.recording import Attention, active_records


class RelativeAttention(nn.Module):
    """Every token attends to the real tokens of its own sequence, which must be contiguous in the batch.

    The score of query i and key j is (q_i + u) k_j + (q_i + v) W r, where r is the sine encoding of the distance i -
    j.
    """

    def __init__(self, dim: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.distance = nn.Linear(dim, dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(heads, 1, dim // heads))
        self.distance_bias = nn.Parameter(torch.zeros(heads, 1, dim // heads))
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens_SD: Tensor, packing: Packing) -> Tensor:
        """(S, D) packed tokens -> (S, D). Weights are computed over the whole padded batch."""
        qkv_BTX: Tensor = packing.unpack(self.qkv(tokens_SD))
        qkv_BT3NK = qkv_BTX.view(
            *qkv_BTX.shape[:2], 3, self.heads, qkv_BTX.shape[2] // (3 * self.heads)
        )
        query_BNTK, key_BNTK, value_BNTK = qkv_BT3NK.permute(2, 0, 3, 1, 4).unbind(0)
        scores_BNTL = (query_BNTK + self.content_bias) @ key_BNTK.transpose(2, 3)
        scores_BNTL = scores_BNTL + self._by_distance(query_BNTK + self.distance_bias)
        seen_B1TL = packing.mask[:, None, :, None] & packing.mask[:, None, None, :]
        # Not -inf: a position in the padding, which attends to nothing, must give zeros, not NaN.
        lowest = torch.finfo(torch.float32).min
        scores_BNTL = (scores_BNTL.float() * query_BNTK.shape[3] ** -0.5).masked_fill(
            ~seen_B1TL, lowest
        )
        weights_BNTL = scores_BNTL.softmax(dim=3).masked_fill(~seen_B1TL, 0)
        records = active_records()
        if records is not None:
            if weights_BNTL.requires_grad:
                weights_BNTL.retain_grad()
            records.append(Attention(self, packing, packing, weights_BNTL))
        weights_BNTL = F.dropout(weights_BNTL, self.dropout, self.training)
        mixed_BNTK = weights_BNTL.to(value_BNTK.dtype) @ value_BNTK
        projected: Tensor = self.out(packing.pack(mixed_BNTK.transpose(1, 2).flatten(2)))
        return projected

    def _by_distance(self, query_BNTK: Tensor) -> Tensor:
        """(B, N, T, T): the scores of each query for keys by their distance."""
        heads, length, width = query_BNTK.shape[1:]
        dim = heads * width
        distances = torch.arange(length - 1, -length, -1, device=query_BNTK.device)
        # Wavelengths as in the paper: the last one is short of 10,000 by one step.
        codes = sine_positions(distances, dim, 10_000 ** (1 - 2 / dim)).to(query_BNTK.dtype)
        codes_NKX = self.distance(codes).unflatten(1, (heads, width)).permute(1, 2, 0)
        scores_BNTX = query_BNTK @ codes_NKX
        # Row i begins at distance T - 1, and its first key is at distance i, so each row is shifted
        # by one more (appendix B).
        moved_BNY = F.pad(scores_BNTX, (1, 0)).flatten(2)[:, :, length:]
        moved_BNTX = moved_BNY.view(*moved_BNY.shape[:2], length, 2 * length - 1)
        return moved_BNTX[..., :length]
