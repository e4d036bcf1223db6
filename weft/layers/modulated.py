"""Transformer blocks whose norms are scaled and shifted by a condition (DiT: Peebles & Xie 2023, arXiv:2212.09748)."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from weft.layers.attention import CrossAttention, SelfAttention
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing


class ModulatedTransformerBlock(nn.Module):
    """Self-attention, attention to a context and an MLP, each around a residual that the condition scales.

    Section 3.2 of the paper, "adaLN-Zero": every branch begins as nothing. context_dim: width of the context's
    tokens.
    """

    def __init__(self, dim: int, heads: int, condition: int, context_dim: int, mlp: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(dim, elementwise_affine=False) for _ in range(3))
        self.attention = SelfAttention(dim, heads)
        self.context = CrossAttention(dim, heads, context_dim=context_dim)
        self.fc1, self.fc2 = nn.Linear(dim, mlp), nn.Linear(mlp, dim)
        self.modulation = nn.Linear(condition, 9 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self, tokens_SD: Tensor, condition_BK: Tensor, context_SC: Tensor, pairing: Pairing
    ) -> Tensor:
        """(S, D) packed tokens and the packed context -> (S, D)."""
        packing = pairing.queries
        parts = [
            spread(part_BD, packing) for part_BD in self.modulation(condition_BK).chunk(9, dim=1)
        ]
        branches: tuple[Callable[[Tensor], Tensor], ...] = (
            lambda given: self.attention(given, packing),
            lambda given: self.context(given, context_SC, pairing),
            lambda given: self.fc2(F.gelu(self.fc1(given), approximate="tanh")),
        )
        for number, branch in enumerate(branches):
            scale, shift, gate = parts[3 * number : 3 * number + 3]
            tokens_SD = tokens_SD + gate * branch(
                self.norms[number](tokens_SD) * (1 + scale) + shift
            )
        return tokens_SD


def spread(values_BD: Tensor, packing: Packing) -> Tensor:
    """(B, D) -> (S, D): each row's vector at each of its tokens."""
    if packing.index is None:
        rows, length = packing.mask.shape
        return values_BD[:, None].expand(rows, length, -1).flatten(0, 1)
    return values_BD[packing.rows].repeat_interleave(packing.lengths, dim=0)
