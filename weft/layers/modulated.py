"""Transformer blocks whose norms are modulated by a condition (DiT: Peebles & Xie 2023, arXiv:2212.09748)."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.records import Features
from weft.layers.attention import CrossAttention, SelfAttention
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing
from weft.layers.positions import grid_positions


class ModulatedTransformerBlock(nn.Module):
    """Self-attention, cross-attention to a context and an MLP, each with a residual scaled by the condition.

    Section 3.2 of the paper, "adaLN-Zero": every branch starts at zero. context_dim: width of the context's tokens.
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


class PatchTransformer(nn.Module):
    """Tokens (B, T, D), one for each patch of a square picture row by row, -> pixels (B, C, S, S).

    Each token gets a learned position embedding. The condition (B, K) modulates the blocks and the last norm, and
    every token attends to the tokens of the context. nothing: whether the output is initially zero.
    """

    def __init__(
        self,
        *,
        size: int,
        patch: int,
        dim: int,
        depth: int,
        heads: int,
        condition: int,
        context_dim: int,
        mlp: int | None = None,
        channels: int = 3,
        nothing: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.patch = size, patch
        self.places = nn.Parameter(grid_positions(size // patch, size // patch, dim))
        self.blocks = nn.ModuleList(
            ModulatedTransformerBlock(dim, heads, condition, context_dim, mlp or 4 * dim)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(condition, 2 * dim)
        self.last = nn.Linear(dim, channels * patch**2)
        for layer in (self.modulation, *([self.last] if nothing else [])):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens_BTD: Tensor, condition_BK: Tensor, context: Features) -> Tensor:
        rows, length = tokens_BTD.shape[0], self.places.shape[0]
        packing = Packing.dense(rows, length, tokens_BTD.device)
        told = Packing.of(context.mask)
        pairing, context_SC = Pairing.of(packing, told), told.pack(context.tokens)
        tokens_SD = packing.pack(tokens_BTD + self.places)
        for block in self.blocks:
            tokens_SD = block(tokens_SD, condition_BK, context_SC, pairing)
        scale, shift = (spread(one, packing) for one in self.modulation(condition_BK).chunk(2, 1))
        found_SP = self.last(self.norm(tokens_SD) * (1 + scale) + shift)
        columns = packing.unpack(found_SP).transpose(1, 2)
        return F.fold(columns, (self.size, self.size), self.patch, stride=self.patch)


def spread(values_BD: Tensor, packing: Packing) -> Tensor:
    """(B, D) -> (S, D): each row's vector at each of its tokens."""
    if packing.index is None:
        rows, length = packing.mask.shape
        return values_BD[:, None].expand(rows, length, -1).flatten(0, 1)
    return values_BD[packing.rows].repeat_interleave(packing.lengths, dim=0)
