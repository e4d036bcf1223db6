"""A transformer block that attends to earlier tokens and to a context, for whole texts or one token at a time.

Vaswani et al. 2017, arXiv:1706.03762, section 3.1, with pre-norm.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.records import Features
from weft.layers.attention import CrossAttention, SelfAttention, attend
from weft.layers.packing import Packing
from weft.layers.padded import is_padded
from weft.layers.transformer import ResidualDropout, TransformerConfig, activate


@dataclass(frozen=True)
class Memory:
    """Keys and values (B, N, L, K) of a context, and its mask (B, L), or None if all are real."""

    keys: Tensor
    values: Tensor
    mask: Tensor | None

    def contiguous(self) -> "Memory":
        """Returns the same values in a contiguous layout for repeated reading."""
        return Memory(self.keys.contiguous(), self.values.contiguous(), self.mask)

    def attended(self, query_BNTK: Tensor, dropout: float = 0.0) -> Tensor:
        """Returns the attention output of queries of the same rows; zeros in a row without context."""
        return attend(query_BNTK, self.keys, self.values, mask=self.mask, dropout=dropout)


@dataclass
class Cache:
    """Keys and values (R, N, capacity, K) of the tokens so far, of which `length` are filled.

    In the padded mode `length` is a tensor (), and a mask hides everything beyond it.
    """

    keys: Tensor
    values: Tensor
    length: int | Tensor = 0

    @classmethod
    def empty(cls, like: Tensor, shape: tuple[int, ...]) -> "Cache":
        """Allocates space for keys and values of that shape, with the device and type of `like`."""
        if is_padded():
            length = torch.zeros((), dtype=torch.int64, device=like.device)
            return cls(like.new_zeros(shape), like.new_zeros(shape), length)
        return cls(like.new_empty(shape), like.new_empty(shape))

    def append(self, key_RN1K: Tensor, value_RN1K: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Adds a token to every row. Returns all keys and values so far, and their mask (R, L), or None if all are
        real."""
        if isinstance(self.length, Tensor):
            rows, _, capacity, _ = self.keys.shape
            places_L = torch.arange(capacity, device=self.keys.device)
            here_L1 = (places_L == self.length)[:, None]
            self.keys = torch.where(here_L1, key_RN1K, self.keys)
            self.values = torch.where(here_L1, value_RN1K, self.values)
            so_far_RL = (places_L <= self.length).expand(rows, -1)
            self.length = self.length + 1
            return self.keys, self.values, so_far_RL
        self.keys[:, :, self.length : self.length + 1] = key_RN1K
        self.values[:, :, self.length : self.length + 1] = value_RN1K
        self.length += 1
        return self.keys[:, :, : self.length], self.values[:, :, : self.length], None

    def take(self, rows_R: Tensor) -> "Cache":
        """Returns the cache of these rows, in this order; a row may occur several times."""
        if isinstance(self.length, Tensor):
            return Cache(self.keys[rows_R], self.values[rows_R], self.length)
        keys = self.keys.new_empty(len(rows_R), *self.keys.shape[1:])
        values = torch.empty_like(keys)
        keys[:, :, : self.length] = self.keys[rows_R, :, : self.length]
        values[:, :, : self.length] = self.values[rows_R, :, : self.length]
        return Cache(keys, values, self.length)


def texts_each(texts: int, contexts: int) -> int:
    """Returns the number of texts for each context."""
    # Equality is tested first: it also covers a batch without texts, and tells an export that the
    # sizes agree.
    return 1 if texts == contexts else texts // contexts


def by_context(states_RTD: Tensor, contexts: int) -> Tensor:
    """(R, T, D) -> (B, R / B * T, D): concatenates the texts of each context."""
    rows, length, width = states_RTD.shape
    # Two steps, since an export can derive their strides.
    return states_RTD.reshape(contexts, texts_each(rows, contexts), length, width).flatten(1, 2)


def by_text(found_BQD: Tensor, texts: int) -> Tensor:
    """The reverse of `by_context`: (B, R / B * T, D) -> (R, T, D)."""
    contexts, queries, width = found_BQD.shape
    each = texts_each(texts, contexts)
    return found_BQD.reshape(contexts, each, queries // each, width).flatten(0, 1)


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to the context, and an MLP, each with a residual.

    A context may have several texts: their rows are adjacent, and the context's keys and values are computed and
    stored only once.
    """

    def __init__(self, config: TransformerConfig, context_dim: int) -> None:
        super().__init__()
        dim, dropout = config.dim, config.attention_dropout
        self.attention = SelfAttention(dim, config.heads, causal=True, dropout=dropout)
        self.cross_attention = CrossAttention(
            dim, config.heads, context_dim=context_dim, dropout=dropout
        )
        self.norm1, self.norm2, self.norm3 = (
            nn.LayerNorm(dim, eps=config.norm_eps) for _ in range(3)
        )
        self.fc1 = nn.Linear(dim, config.hidden)
        self.fc2 = nn.Linear(config.hidden, dim)
        self.activation = config.activation
        self.drop = ResidualDropout(config.dropout, 0.0)

    def memory(self, context: Features) -> Memory:
        """Returns this block's keys and values of the context (B, L, width). Padding is never read."""
        packing = Packing.of(context.mask)
        projected_SD = self.cross_attention.key_value(packing.pack(context.tokens))
        parts_2BNLK = _heads(packing.unpack(projected_SD), 2, self.cross_attention.heads)
        keys, values = parts_2BNLK.unbind(0)
        if not packing.padding:
            return Memory(keys, values, None)
        # Keys and values of padding are zero, so a row of padding only may attend to all of it.
        return Memory(keys, values, context.mask | ~context.mask.any(dim=1, keepdim=True))

    def forward(self, tokens_SD: Tensor, packing: Packing, memory: Memory) -> Tensor:
        """(S, D) packed tokens of right-padded texts -> (S, D)."""
        dropout = self.attention.dropout if self.training else 0.0
        attended_SD = self._attended(self.norm1(tokens_SD), packing, dropout)
        tokens_SD = tokens_SD + self.drop(attended_SD, packing)
        query_SD = self.cross_attention.query(self.norm2(tokens_SD))
        found = self._from_memory(packing.unpack(query_SD), memory, dropout)
        tokens_SD = tokens_SD + self.drop(self.cross_attention.out(packing.pack(found)), packing)
        outcome_SD: Tensor = tokens_SD + self.drop(self._mlp(self.norm3(tokens_SD)), packing)
        return outcome_SD

    def step(self, token_RD: Tensor, cache: Cache, memory: Memory) -> Tensor:
        """Processes the next token of every text, (R, D) -> (R, D), and adds it to the cache."""
        qkv_R1D = self.attention.qkv(self.norm1(token_RD))[:, None]
        query_RN1K, key_RN1K, value_RN1K = _heads(qkv_R1D, 3, self.attention.heads).unbind(0)
        keys, values, so_far_RL = cache.append(key_RN1K, value_RN1K)
        mixed_RN1K = attend(query_RN1K, keys, values, mask=so_far_RL)
        token_RD = token_RD + self.attention.out(mixed_RN1K.flatten(1))
        query_R1D = self.cross_attention.query(self.norm2(token_RD))[:, None]
        found_R1D = self._from_memory(query_R1D, memory, 0.0)
        token_RD = token_RD + self.cross_attention.out(found_R1D[:, 0])
        return token_RD + self._mlp(self.norm3(token_RD))

    def _attended(self, tokens_SD: Tensor, packing: Packing, dropout: float) -> Tensor:
        if packing.masked:
            static: Tensor = self.attention(tokens_SD, packing)
            return static
        # Padding lies at the ends, where no earlier token sees it, so one causal call serves all
        # rows.
        qkv_RTD = packing.unpack(self.attention.qkv(tokens_SD))
        query, key, value = _heads(qkv_RTD, 3, self.attention.heads).unbind(0)
        mixed = attend(query, key, value, causal=True, dropout=dropout)
        attended: Tensor = self.attention.out(packing.pack(mixed.transpose(1, 2).flatten(2)))
        return attended

    def _from_memory(self, query_RTD: Tensor, memory: Memory, dropout: float) -> Tensor:
        """(R, T, D): attention to the memory, with the R / B texts of each context together."""
        together = by_context(query_RTD, memory.keys.shape[0])
        (query,) = _heads(together, 1, self.cross_attention.heads).unbind(0)
        found = memory.attended(query, dropout).transpose(1, 2)
        return by_text(found.flatten(2), query_RTD.shape[0])

    def _mlp(self, tokens_SD: Tensor) -> Tensor:
        projected: Tensor = self.fc2(activate(self.fc1(tokens_SD), self.activation))
        return projected


def _heads(projected_BTD: Tensor, parts: int, heads: int) -> Tensor:
    """(B, T, parts * N * K) -> (parts, B, N, T, K)."""
    rows, length, width = projected_BTD.shape
    split = projected_BTD.view(rows, length, parts, heads, width // (parts * heads))
    return split.permute(2, 0, 3, 1, 4)
