"""Positions of a grid attend to each other and to the tokens of a context."""

from torch import Tensor, nn

from weft.core.records import Features
from weft.layers.attention import CrossAttention, SelfAttention
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing


class ContextAttention(nn.Module):
    """(B, C, H, W) -> the same: self-attention over all positions, then cross-attention to the context, each with a
    residual.

    In a row without context the cross-attention changes nothing.
    """

    def __init__(self, width: int, context_dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.places = SelfAttention(width, heads)
        self.context = CrossAttention(width, heads, context_dim=context_dim)
        for out in (self.places.out, self.context.out):
            nn.init.zeros_(out.weight)
            nn.init.zeros_(out.bias)

    def forward(self, grid_BCHW: Tensor, context: Features) -> Tensor:
        rows, width, height, columns = grid_BCHW.shape
        tokens_BTC = grid_BCHW.flatten(2).transpose(1, 2)
        mask_BT = tokens_BTC.new_ones(rows, height * columns).bool()
        places, told = Packing.of(mask_BT), Packing.of(context.mask)
        tokens_SC = places.pack(tokens_BTC)
        tokens_SC = tokens_SC + self.places(self.norm1(tokens_SC), places)
        found_SC = self.context(
            self.norm2(tokens_SC), told.pack(context.tokens), Pairing.of(places, told)
        )
        mixed_BTC = places.unpack(tokens_SC + found_SC)
        return mixed_BTC.transpose(1, 2).reshape(rows, width, height, columns)
