"""Multi-head self-attention on packed tokens (Vaswani et al. 2017, arXiv:1706.03762, section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.layers.packing import Packing

# Forward and backward in bf16 on a CPU, torch 2.13: two matrix products take a sixth of the time of
# torch's fused attention at 64 tokens, half at 256 and the same at 512. In fp32 the fused one is as
# fast or faster.
LONGEST_MATMUL = 256


class SelfAttention(nn.Module):
    """Every token attends to the real tokens of its own sequence; with `causal`, to earlier ones."""

    def __init__(self, dim: int, heads: int, *, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"heads is {heads}, expected a divisor of dim, which is {dim}")
        self.heads = heads
        self.causal = causal
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens_SD: Tensor, packing: Packing) -> Tensor:
        """(S, D) packed tokens -> (S, D)."""
        dropout = self.dropout if self.training else 0.0
        qkv_SD = self.qkv(tokens_SD)
        mixed: list[Tensor] = []
        for group in packing.groups:
            qkv = qkv_SD[group.start : group.stop].view(group.rows, group.length, 3, self.heads, -1)
            query_BNTK, key_BNTK, value_BNTK = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            mixed_BNTK = attend(
                query_BNTK, key_BNTK, value_BNTK, causal=self.causal, dropout=dropout
            )
            mixed.append(mixed_BNTK.transpose(1, 2).flatten(2).flatten(0, 1))
        if not mixed:
            mixed.append(torch.zeros_like(tokens_SD))
        projected: Tensor = self.out(mixed[0] if len(mixed) == 1 else torch.cat(mixed))
        return projected


def attend(
    query_BNTK: Tensor, key_BNTK: Tensor, value_BNTK: Tensor, *, causal: bool, dropout: float
) -> Tensor:
    """softmax(q k^T / sqrt(K)) v for sequences of one length, (B, N, T, K)."""
    length = query_BNTK.shape[2]
    by_matmul = query_BNTK.device.type == "cpu" and query_BNTK.dtype == torch.bfloat16
    if not by_matmul or length > LONGEST_MATMUL:
        return F.scaled_dot_product_attention(
            query_BNTK, key_BNTK, value_BNTK, dropout_p=dropout, is_causal=causal
        )
    scores_BNTT = (query_BNTK * query_BNTK.shape[3] ** -0.5) @ key_BNTK.transpose(2, 3)
    if causal:
        later_TT = torch.ones(length, length, dtype=torch.bool).triu(1)
        scores_BNTT = scores_BNTT.masked_fill(later_TT, -torch.inf)
    weights_BNTT = F.dropout(scores_BNTT.float().softmax(dim=3), dropout)
    return weights_BNTT.to(value_BNTK.dtype) @ value_BNTK
