"""LSTM decoder of text: Show and Tell (Vinyals et al. 2015, arXiv:1411.4555), with or without attention."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.decoders.autoregressive import text_packing
from weft.layers.attention import attend
from weft.layers.decoder import by_context, by_text, texts_each
from weft.layers.dropout import Dropout
from weft.layers.packing import Packing
from weft.layers.recurrence import recur


@dataclass
class RecurrentState:
    """Hidden and cell states, (layers, R, D) each, and the B contexts for the attention."""

    hidden: Tensor
    cell: Tensor
    context: Features

    def take(self, rows_R: Tensor) -> "RecurrentState":
        """Returns the state of these texts. Each keeps its context, which is not copied."""
        return replace(self, hidden=self.hidden[:, rows_R], cell=self.cell[:, rows_R])


class RecurrentDecoder(nn.Module):
    """A context and earlier tokens -> logits of the next token.

    The context's pooled vector is the LSTM's first input, before the first token (Vinyals et al., equations 10 to
    12). With `attention`, each state also attends to the context's tokens, and the result is concatenated to it
    before the last map (Luong et al. 2015, arXiv:1508.04025, section 3.1, general score).
    """

    def __init__(self, config: "RecurrentDecoderConfig") -> None:
        super().__init__()
        self.config = config
        self.max_length = config.max_length
        self.first = nn.Linear(config.context_dim, config.embedding)
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = Dropout(config.dropout)
        self.recurrence = nn.LSTM(
            config.embedding,
            config.hidden,
            num_layers=config.layers,
            dropout=config.dropout if config.layers > 1 else 0.0,
            batch_first=True,
        )
        if config.attention:
            self.query = nn.Linear(config.hidden, config.context_dim, bias=False)
            self.join = nn.Linear(config.hidden + config.context_dim, config.hidden)
        self.out = nn.Linear(config.hidden, config.vocab_size)

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Ids (R, T) int64, right-padded, with context (B, L, context_dim) -> (R, T, V)."""
        packing = text_packing(context, prefix, self.max_length)
        assert prefix is not None
        return packing.unpack(self.logits(self._hidden(context, prefix, packing)))

    def hidden(self, context: Features, prefix: Field) -> tuple[Tensor, Packing]:
        """(S, D) packed states of the real tokens, and their packing."""
        packing = text_packing(context, prefix, self.max_length)
        return self._hidden(context, prefix, packing), packing

    def logits(self, hidden_SD: Tensor) -> Tensor:
        """(S, V) logits of packed states."""
        logits_SV: Tensor = self.out(self.dropout(hidden_SD))
        return logits_SV

    def start(self, context: Features, texts: int, longest: int) -> RecurrentState:
        """Returns the state before the first token of `texts` texts for each context, of at most `longest` tokens."""
        if longest > self.max_length:
            raise ValueError(f"texts of {longest} tokens, expected at most {self.max_length}")
        context = self._checked(context)
        hidden, cell = self._begin(context)
        return RecurrentState(
            hidden.repeat_interleave(texts, 1), cell.repeat_interleave(texts, 1), context
        )

    def step(self, ids_R: Tensor, state: RecurrentState) -> Tensor:
        """Processes the next token of each text -> (R, V) logits of the one after. Changes the state."""
        embedded_R1D = self.embedding(ids_R)[:, None]
        states_R1D, (state.hidden, state.cell) = recur(
            self.recurrence, embedded_R1D, states=(state.hidden, state.cell)
        )
        logits_RV: Tensor = self.out(self._joined(states_R1D, state.context)[:, 0])
        return logits_RV

    def _hidden(self, context: Features, prefix: Field, packing: Packing) -> Tensor:
        context = self._checked(context)
        texts = texts_each(prefix.values.shape[0], context.tokens.shape[0])
        hidden, cell = (part.repeat_interleave(texts, 1) for part in self._begin(context))
        # Padding may hold any number.
        embedded = self.dropout(self.embedding(prefix.values.masked_fill(~packing.mask, 0)))
        states_RTD, _ = recur(self.recurrence, embedded, packing.mask, (hidden, cell))
        return packing.pack(self._joined(states_RTD, context))

    def _begin(self, context: Features) -> tuple[Tensor, Tensor]:
        """Hidden and cell states (layers, B, D) after the context's vector."""
        first_B1D = self.dropout(self.first(context.pooled))[:, None]
        _, (hidden, cell) = recur(self.recurrence, first_B1D)
        return hidden, cell

    def _joined(self, states_RTD: Tensor, context: Features) -> Tensor:
        """Concatenates the states with their attention output over the context's tokens."""
        if not self.config.attention:
            return states_RTD
        query_B1QD = self.query(by_context(states_RTD, context.tokens.shape[0]))[:, None]
        tokens_B1LD = context.tokens[:, None]
        found_B1QD = attend(query_B1QD, tokens_B1LD, tokens_B1LD, mask=context.mask)
        found_RTD = by_text(found_B1QD[:, 0], states_RTD.shape[0])
        both = torch.cat([states_RTD, found_RTD], dim=-1)
        return torch.tanh(self.join(both))

    def _checked(self, context: Features) -> Features:
        """Zeroes the padding of the context; a row of padding only may attend to all of it."""
        check_shape(context.pooled, "B D", "the context", D=self.config.context_dim)
        if not self.config.attention:
            return context
        tokens_BLD = context.tokens.masked_fill(~context.mask[..., None], 0)
        mask_BL = context.mask | ~context.mask.any(dim=1, keepdim=True)
        return Features(tokens_BLD, mask_BL, context.pooled)


@dataclass(frozen=True)
class RecurrentDecoderConfig(Config[Decoder]):
    """An LSTM that writes text about a context."""

    vocab_size: int
    """Number of tokens V; at least those of the generated stream."""
    context_dim: int
    """Width of the context."""
    embedding: int = 512
    """Width of the tokens' embeddings."""
    hidden: int = 512
    """Width of the states."""
    layers: int = 1
    attention: bool = False
    """If true, attend to the context's tokens at each step, besides reading its pooled vector at the start."""
    max_length: int = 64
    """Maximum tokens of a text, including the special ones."""
    dropout: float = 0.0
    """Dropout of the inputs, between layers and before the last map."""

    def __post_init__(self) -> None:
        counts = ("vocab_size", "context_dim", "embedding", "hidden", "layers", "max_length")
        require(self, **dict.fromkeys(counts, COUNT))
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}, expected a number in [0, 1)")

    @property
    def outputs(self) -> int:
        return self.vocab_size

    def build(self) -> RecurrentDecoder:
        return RecurrentDecoder(self)
