"""The facts about a tokenizer that masking and generation of token ids need."""

import json
from dataclasses import dataclass

from tokenizers import Tokenizer

from weft.core.text import is_mark, unspaced

# Marks of tokens that start a word: byte-level BPE has the byte of the space before it,
# sentencepiece a low line. WordPiece marks tokens that do not start one.
_BEGINNINGS = ("\u0120", "\u2581")


@dataclass(frozen=True)
class Vocabulary:
    """size: ids are below it. mask_id: of the mask token. special_ids: all special tokens.

    continuing_ids: tokens that continue the word of the token before. In a script without blanks each token is a
    word, if it begins with a whole character.
    """

    size: int
    mask_id: int
    special_ids: tuple[int, ...]
    continuing_ids: tuple[int, ...] = ()


def continuing_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids of tokens that continue a word, ascending."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    tokens = {t: i for t, i in tokenizer.get_vocab().items() if t not in special}
    model = json.loads(tokenizer.to_str())["model"]
    if model["type"] == "WordLevel":
        return ()
    if model["type"] == "WordPiece":
        prefix = model["continuing_subword_prefix"]
        inside = {i: t.removeprefix(prefix) for t, i in tokens.items() if t.startswith(prefix)}
    else:
        inside = {
            i: tokenizer.decode([i]) for t, i in tokens.items() if not t.startswith(_BEGINNINGS)
        }
    return tuple(sorted(i for i, text in inside.items() if not _is_a_word(text)))


def _is_a_word(text: str) -> bool:
    """Whether it begins with a character, not a combining mark, of a script without blanks."""
    return bool(text) and unspaced(text[0]) and not is_mark(text[0])
