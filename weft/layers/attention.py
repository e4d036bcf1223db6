"""Multi-head attention on packed tokens (Vaswani et al. 2017, arXiv:1706.03762, section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.layers import block_diagonal
from weft.layers.packing import Packing
from weft.layers.padded import is_padded
from weft.layers.pairing import Pairing, by_group
from weft.layers.recording import Attention, active_records

# Measured for forward and backward in bf16 on a CPU, torch 2.13: two matrix products take a sixth
# of the time of torch's fused attention at 64 tokens and half at 256, with AMX as well as with
# AVX-512. At 512 tokens and more, and in fp32 at any length, the fused attention is as fast or
# faster.
LONGEST_MATMUL = 256
SHORTEST_BF16 = 48
"""On a CPU, shorter sequences are multiplied in fp32. For bf16, oneDNN builds a kernel for every new shape, which
takes longer than the product itself, and batches rarely repeat a shape."""


class SelfAttention(nn.Module):
    """Every token attends to the real tokens of its own sequence; with `causal`, to earlier ones."""

    def __init__(self, dim: int, heads: int, *, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        _check_heads(dim, heads)
        self.heads = heads
        self.causal = causal
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens_SD: Tensor, packing: Packing) -> Tensor:
        """(S, D) packed tokens -> (S, D)."""
        qkv_S3NK = _heads(self.qkv(tokens_SD), 3, self.heads)
        query_S1NK, key_value_S2NK = torch.split(qkv_S3NK, [1, 2], dim=1)
        mixed_SD = mix(
            self,
            query_S1NK[:, 0],
            key_value_S2NK,
            Pairing.within(packing),
            causal=self.causal,
            dropout=self.dropout if self.training else 0.0,
        )
        projected: Tensor = self.out(mixed_SD)
        return projected


class CrossAttention(nn.Module):
    """Every token attends to the tokens of the same row in another stream, its context.

    A row without context gets zeros, so a residual connection leaves it unchanged. context_dim: width of the context,
    None for dim. width: of queries, keys and values over all heads, None for dim.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        context_dim: int | None = None,
        width: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width = dim if width is None else width
        _check_heads(width, heads)
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(dim, width)
        self.key_value = nn.Linear(dim if context_dim is None else context_dim, 2 * width)
        self.out = nn.Linear(width, dim)

    def forward(self, tokens_SD: Tensor, context_SD: Tensor, pairing: Pairing) -> Tensor:
        """(S, D) packed tokens and the packed context, another S and its own width -> (S, D)."""
        mixed_SD = mix(
            self,
            _heads(self.query(tokens_SD), 1, self.heads)[:, 0],
            _heads(self.key_value(context_SD), 2, self.heads),
            pairing,
            dropout=self.dropout if self.training else 0.0,
        )
        projected: Tensor = self.out(mixed_SD)
        if pairing.without_keys is not None:
            projected = projected.masked_fill(pairing.without_keys[:, None], 0)
        return projected


def mix(
    layer: nn.Module,
    query_SNK: Tensor,
    key_value_S2NK: Tensor,
    pairing: Pairing,
    *,
    causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """(S, N * K): attention output for each packed query, within its own row. See `recording`."""
    records = active_records()
    if records is not None:
        return _mix_recorded(records, layer, query_SNK, key_value_S2NK, pairing, causal, dropout)
    within = pairing.queries is pairing.keys
    if within and block_diagonal.has_kernel(query_SNK, pairing.queries, dropout):
        return block_diagonal.attend_within(
            query_SNK, key_value_S2NK, pairing.queries, causal=causal
        )
    mixed: list[Tensor] = []
    for query_BTNK, key_value_BL2NK, keys in zip(
        by_group(pairing.queries.groups, query_SNK),
        by_group(pairing.key_groups, pairing.with_padding(key_value_S2NK)),
        pairing.key_groups,
        strict=True,
    ):
        key_BLNK, value_BLNK = key_value_BL2NK.unbind(2)
        mixed_BNTK = attend(
            query_BTNK.transpose(1, 2),
            key_BLNK.transpose(1, 2),
            value_BLNK.transpose(1, 2),
            mask=keys.mask,
            causal=causal,
            dropout=dropout,
        )
        mixed.append(mixed_BNTK.transpose(1, 2).flatten(2).flatten(0, 1))
    if not mixed:
        # Without queries, keys and values need a zero gradient instead of none: other ranks wait
        # for it.
        return query_SNK.flatten(1) + 0 * key_value_S2NK.sum()
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed)


def attend(
    query_BNTK: Tensor,
    key_BNLK: Tensor,
    value_BNLK: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """softmax(q k^T / sqrt(K)) v, (B, N, T, K), for T queries and L keys in each row.

    mask: (B, L) True for real keys, at least one in every row. causal: the queries are the last T of the L positions,
    since a cache may hold earlier ones; each attends to its own and earlier positions.
    """
    queries, keys = query_BNTK.shape[2], key_BNLK.shape[2]
    causal = causal and queries > 1  # a single query is at the last position and sees all others
    bf16 = (
        query_BNTK.device.type == "cpu" and query_BNTK.dtype == torch.bfloat16 and not is_padded()
    )
    if bf16 and max(queries, keys) < SHORTEST_BF16:
        with torch.autocast("cpu", enabled=False):
            mixed_BNTK = attend(
                query_BNTK.float(),
                key_BNLK.float(),
                value_BNLK.float(),
                mask=mask,
                causal=causal,
                dropout=dropout,
            )
        return mixed_BNTK.to(value_BNLK.dtype)
    # torch.func has no batching rule for the fused kernel and would run it row by row.
    by_matmul = is_padded() and not torch.compiler.is_compiling()
    by_matmul = by_matmul or (bf16 and max(queries, keys) <= LONGEST_MATMUL)
    if not by_matmul:
        square = causal and mask is None and queries == keys
        return F.scaled_dot_product_attention(
            query_BNTK,
            key_BNLK,
            value_BNLK,
            attn_mask=None if square else _seen(query_BNTK, keys, mask, causal),
            dropout_p=dropout,
            is_causal=square,
        )
    scores_BNTL = (query_BNTK * query_BNTK.shape[3] ** -0.5) @ key_BNLK.transpose(2, 3)
    seen = _seen(query_BNTK, keys, mask, causal)
    if seen is not None:
        scores_BNTL = scores_BNTL.masked_fill(~seen, -torch.inf)
    # The softmax kernel computes in float32 and rounds its result once.
    return F.dropout(scores_BNTL.softmax(dim=3), dropout) @ value_BNLK


def _seen(query_BNTK: Tensor, keys: int, mask: Tensor | None, causal: bool) -> Tensor | None:
    """Returns which keys each query may attend to, broadcastable to (B, N, T, L); None for all."""
    seen = None if mask is None else mask[:, None, None, :]
    if not causal:
        return seen
    queries = query_BNTK.shape[2]
    earlier_TL = torch.ones(queries, keys, dtype=torch.bool, device=query_BNTK.device)
    earlier_TL = earlier_TL.tril(keys - queries)
    if seen is None:
        return earlier_TL
    # A position in the padding before a text attends to itself; attending to nothing would give
    # NaN.
    return (seen & earlier_TL) | (earlier_TL & earlier_TL.triu(keys - queries))


def _mix_recorded(
    records: list[Attention],
    layer: nn.Module,
    query_SNK: Tensor,
    key_value_S2NK: Tensor,
    pairing: Pairing,
    causal: bool,
    dropout: float,
) -> Tensor:
    """Returns the output of `mix`, computed from the attention weights of the whole padded batch, which are recorded."""
    queries, keys = pairing.queries, pairing.keys
    query_BNTK = queries.unpack(query_SNK).transpose(1, 2)
    key_BNLK, value_BNLK = keys.unpack(key_value_S2NK).permute(2, 0, 3, 1, 4).unbind(0)
    scores_BNTL = (query_BNTK * query_BNTK.shape[3] ** -0.5) @ key_BNLK.transpose(2, 3)
    seen_B1TL = queries.mask[:, None, :, None] & keys.mask[:, None, None, :]
    if causal:  # positions in the padded row; packed tokens have the same order
        seen_B1TL = seen_B1TL.tril()
    # Not -inf: a query that attends to nothing must give zeros, not NaN.
    scores_BNTL = scores_BNTL.float().masked_fill(~seen_B1TL, torch.finfo(torch.float32).min)
    weights_BNTL = scores_BNTL.softmax(dim=3).masked_fill(~seen_B1TL, 0)
    if weights_BNTL.requires_grad:
        weights_BNTL.retain_grad()
    records.append(Attention(layer, queries, keys, weights_BNTL))
    mixed_BNTK = F.dropout(weights_BNTL, dropout).to(value_BNLK.dtype) @ value_BNLK
    return queries.pack(mixed_BNTK.transpose(1, 2).flatten(2))


def _heads(projected_SD: Tensor, parts: int, heads: int) -> Tensor:
    """(S, parts * N * K) -> (S, parts, N, K)."""
    size, width = projected_SD.shape
    return projected_SD.view(size, parts, heads, width // (parts * heads))


def _check_heads(dim: int, heads: int) -> None:
    if heads < 1 or dim % heads:
        raise ValueError(f"heads is {heads}, expected a divisor of dim, which is {dim}")
