"""Combines a tokenizer's tokens to whole words for display."""

import json
from collections.abc import Sequence

from tokenizers import Tokenizer

from weft.modalities.vocabulary import continuing_ids


def whole_words(
    tokenizer: Tokenizer, ids: Sequence[int], left_out: Sequence[bool]
) -> list[tuple[str, list[int]]]:
    """Returns the words of a text of T ids, each with the positions of its tokens in [0, T).

    left_out: T flags for positions without text of the user, such as special tokens. Words do not contain a
    tokenizer's marks, such as `##` before a continuation and `</w>` at the end of a word.
    """
    groups: list[list[int]] = []
    model = json.loads(tokenizer.to_str())["model"]
    suffix = model.get("end_of_word_suffix")
    continuing = frozenset() if suffix else frozenset(continuing_ids(tokenizer))
    ended = True
    for place, one in enumerate(ids):
        if left_out[place]:
            ended = True
            continue
        inside = not ended and (bool(suffix) or one in continuing)
        if inside:
            groups[-1].append(place)
        else:
            groups.append([place])
        ended = bool(suffix) and (tokenizer.id_to_token(one) or "").endswith(suffix)
    prefix = model.get("continuing_subword_prefix") or ""
    return [(_text(tokenizer, [ids[place] for place in group], prefix), group) for group in groups]


def _text(tokenizer: Tokenizer, ids: Sequence[int], prefix: str) -> str:
    said: str = tokenizer.decode(list(ids), skip_special_tokens=False).strip()
    return said.removeprefix(prefix) or "".join(tokenizer.id_to_token(one) or "" for one in ids)
