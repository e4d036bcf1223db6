"""The interface of text decoders: whole texts in training, token by token in inference."""

from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.layers.packing import Packing
from weft.layers.padded import is_padded


class State(Protocol):
    """A decoder's state after the texts so far, R of them."""

    def take(self, rows_R: Tensor) -> Self:
        """Returns the state of these texts, in this order; a text may occur several times. Each text keeps its
        context."""
        ...


@runtime_checkable
class AutoregressiveDecoder(Protocol):
    """Context (B, ...) and texts (R, T) -> logits of each next token. R is a multiple of B, and the texts of one
    context are adjacent.

    forward(context, prefix) is `logits(hidden(context, prefix))`, unpacked. Stepping through a text gives the same
    logits as reading it whole.
    """

    max_length: int

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor: ...

    def hidden(self, context: Features, prefix: Field) -> tuple[Tensor, Packing]:
        """(S, D) packed states of the real tokens of (R, T) texts, and their packing."""
        ...

    def logits(self, hidden_SD: Tensor) -> Tensor:
        """(S, V) logits of packed states."""
        ...

    def start(self, context: Features, texts: int, longest: int) -> State:
        """Returns the state before the first token of `texts` texts for each context, of at most `longest` tokens."""
        ...

    def step(self, ids_R: Tensor, state: State) -> Tensor:
        """Processes the next token of each text -> (R, V) logits of the one after. Changes the state."""
        ...


Part = tuple[AutoregressiveDecoder, Features]
"""A decoder and its context, alone or in an ensemble."""


def text_packing(context: Features, prefix: Field | None, longest: int) -> Packing:
    """Returns the packing of the texts. Raises ValueError for texts that a decoder cannot read."""
    if prefix is None:
        raise ValueError(
            "a decoder of text got no prefix, expected the tokens before each next one"
        )
    check_shape(prefix.values, "R T", "token ids")
    texts, contexts = prefix.values.shape[0], context.tokens.shape[0]
    if texts != contexts and (contexts == 0 or texts % contexts):
        raise ValueError(f"got {texts} texts of {contexts} contexts, expected as many of each")
    mask_RT = prefix.mask
    if mask_RT is None:
        mask_RT = torch.ones_like(prefix.values, dtype=torch.bool)
    if not is_padded() and bool((mask_RT[:, 1:] & ~mask_RT[:, :-1]).any()):
        raise ValueError("a text has a token after padding, expected padding at its end only")
    packing = Packing.of(mask_RT)
    if packing.longest > longest:
        raise ValueError(
            f"a text has {packing.longest} tokens, expected at most max_length, {longest}"
        )
    return packing
