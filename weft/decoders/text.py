"""Transformer decoder of text (Vaswani et al. 2017, arXiv:1706.03762, section 3.1)."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.decoders.autoregressive import text_packing
from weft.layers.decoder import Cache, DecoderBlock, Memory
from weft.layers.dropout import Dropout
from weft.layers.packing import Packing
from weft.layers.transformer import Activation, TransformerConfig


@dataclass
class TransformerState:
    """Keys and values of every block: for the contexts, and for the R texts so far."""

    memories: list[Memory]
    caches: list[Cache]

    def take(self, rows_R: Tensor) -> "TransformerState":
        """Returns the state of these texts. Each keeps its context, which is not copied."""
        return replace(self, caches=[cache.take(rows_R) for cache in self.caches])


class TransformerDecoder(nn.Module):
    """A context's tokens and earlier tokens -> logits of the next token.

    Only real tokens are computed. With `tied`, the last map shares its weights with the embedding (Press & Wolf 2017,
    arXiv:1608.05859).
    """

    def __init__(self, config: "TransformerDecoderConfig") -> None:
        super().__init__()
        self.config = config
        self.max_length = config.max_length
        stack = config.transformer()
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.positions = nn.Parameter(0.01 * torch.randn(config.max_length, config.dim))
        self.input_dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            DecoderBlock(stack, config.context_dim) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.output_dropout = Dropout(config.dropout)
        self.out = nn.Linear(config.dim, config.vocab_size)
        self._initialize()

    def _initialize(self) -> None:
        """As `Transformer.initialize`: linear maps by fan-in, residual branches by depth."""
        shrink = (3 * self.config.depth) ** -0.5
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            for block in self._blocks():
                for branch in (block.attention.out, block.cross_attention.out, block.fc2):
                    branch.weight.mul_(shrink)
        nn.init.normal_(self.embedding.weight, std=self.config.dim**-0.5)
        if self.config.tied:
            self.out.weight = self.embedding.weight

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Ids (R, T) int64, right-padded, with context (B, L, context_dim) -> (R, T, V)."""
        packing = text_packing(context, prefix, self.max_length)
        assert prefix is not None
        hidden_SD = self._hidden(context, prefix, packing)
        return packing.unpack(self.logits(hidden_SD))

    def hidden(self, context: Features, prefix: Field) -> tuple[Tensor, Packing]:
        """(S, D) packed states of the real tokens, and their packing."""
        packing = text_packing(context, prefix, self.max_length)
        return self._hidden(context, prefix, packing), packing

    def logits(self, hidden_SD: Tensor) -> Tensor:
        """(S, V) logits of packed states."""
        logits_SV: Tensor = self.out(self.output_dropout(hidden_SD))
        return logits_SV

    def start(self, context: Features, texts: int, longest: int) -> TransformerState:
        """Returns the state before the first token of `texts` texts for each context, of at most `longest` tokens."""
        if longest > self.max_length:
            raise ValueError(f"texts of {longest} tokens, expected at most {self.max_length}")
        memories = [block.memory(self._checked(context)).contiguous() for block in self._blocks()]
        heads = self.config.heads
        shape = (context.tokens.shape[0] * texts, heads, longest, self.config.dim // heads)
        caches = [Cache.empty(memory.keys, shape) for memory in memories]
        return TransformerState(memories, caches)

    def step(self, ids_R: Tensor, state: TransformerState) -> Tensor:
        """Processes the next token of each text -> (R, V) logits of the one after. Changes the state."""
        token_RD = self.embedding(ids_R) + self.positions[state.caches[0].length]
        for block, cache, memory in zip(self._blocks(), state.caches, state.memories, strict=True):
            token_RD = block.step(token_RD, cache, memory)
        logits_RV: Tensor = self.out(self.norm(token_RD))
        return logits_RV

    def _hidden(self, context: Features, prefix: Field, packing: Packing) -> Tensor:
        context = self._checked(context)
        positions_SD = F.embedding(packing.positions(), self.positions)
        tokens_SD = self.embedding(packing.pack(prefix.values)) + positions_SD
        tokens_SD = self.input_dropout(tokens_SD)
        for block in self._blocks():
            tokens_SD = block(tokens_SD, packing, block.memory(context))
        normed_SD: Tensor = self.norm(tokens_SD)
        return normed_SD

    def _checked(self, context: Features) -> Features:
        check_shape(context.tokens, "B L D", "the context", D=self.config.context_dim)
        return context

    def _blocks(self) -> list[DecoderBlock]:
        return [block for block in self.blocks if isinstance(block, DecoderBlock)]


@dataclass(frozen=True)
class TransformerDecoderConfig(Config[Decoder]):
    """A transformer that writes text about a context."""

    vocab_size: int
    """Number of tokens V; at least those of the generated stream."""
    context_dim: int
    """Width of the context's tokens."""
    dim: int = 256
    depth: int = 2
    heads: int = 8
    mlp: int | None = None
    """Hidden width of the MLPs, None for 4 * dim."""
    max_length: int = 64
    """Maximum tokens of a text, including the special ones."""
    tied: bool = True
    """If true, the last map shares its weights with the token embedding."""
    activation: Activation = "gelu"
    norm_eps: float = 1e-5
    dropout: float = 0.0
    """Dropout of embeddings, of each branch and before the last map."""
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self, vocab_size=COUNT, context_dim=COUNT, depth=COUNT, max_length=COUNT)
        self.transformer()

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self).replace(causal=True)

    @property
    def outputs(self) -> int:
        return self.vocab_size

    def build(self) -> TransformerDecoder:
        return TransformerDecoder(self)
