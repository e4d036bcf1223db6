"""What those who alter or write token ids must know of a tokenizer."""

import json
from dataclasses import dataclass

from tokenizers import Tokenizer

# How a token says that it begins a word: byte-level BPE with the byte of the space in front of it,
# sentencepiece with a low line. WordPiece marks those that do not begin one.
_BEGINNINGS = ("\u0120", "\u2581")


@dataclass(frozen=True)
class Vocabulary:
    """size: ids are below it. mask_id: of the mask token. special_ids: all special tokens.

    continuing_ids: tokens that continue the word of the token before them. Scripts without spaces have
    no words for a byte-level tokenizer: there a whole sentence continues its first token.
    """

    size: int
    mask_id: int
    special_ids: tuple[int, ...]
    continuing_ids: tuple[int, ...] = ()


def continuing_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids of tokens that continue a word, ascending."""
    tokens: dict[str, int] = tokenizer.get_vocab()
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    model = json.loads(tokenizer.to_str())["model"]
    if model["type"] == "WordPiece":
        prefix = model["continuing_subword_prefix"]
        return tuple(sorted(i for token, i in tokens.items() if token.startswith(prefix)))
    if model["type"] == "WordLevel":
        return ()
    return tuple(
        sorted(
            i
            for token, i in tokens.items()
            if token not in special and not token.startswith(_BEGINNINGS)
        )
    )
