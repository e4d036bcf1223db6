"""BLEU and chrF of translations, with the conventions of sacreBLEU (M. Post, WMT 2018, arXiv:1804.08771).

Each sentence's counts are kept. Both metrics are functions of the sums of counts, so a bootstrap over groups need not
read the texts again, and two systems can be compared on the same resamples.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from weft.evaluation.captions import ORDERS, clipped_matches, nearest_length

Floats = NDArray[np.float64]
Tokenizer = Literal["13a", "zh"]
CHARACTERS = 6
"""Longest n-gram of characters in chrF."""
BETA = 2.0
"""Weight of the recall in chrF."""

_ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}
_RULES = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
# Copied from sacreBLEU, whose range that is meant to begin at U+20000 runs from U+2001 to U+2A6D.
_CHINESE = re.compile(
    "[\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u4db5\u4e00-\u9fbb"
    "\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef]"
)


def tokens_13a(text: str) -> list[str]:
    """Splits words and punctuation as mteval-v13a does, for languages with blanks between words."""
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return _split(f" {text} ")


def tokens_zh(text: str) -> list[str]:
    """Splits off every Chinese character and punctuation mark; the rest as in `tokens_13a`."""
    return _split(_CHINESE.sub(r" \g<0> ", text.strip()))


def _split(text: str) -> list[str]:
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.split()


TOKENIZERS: Mapping[Tokenizer, Callable[[str], list[str]]] = {"13a": tokens_13a, "zh": tokens_zh}


def bleu_counts(
    translations: Sequence[str], references: Sequence[Sequence[str]], tokenizer: Tokenizer
) -> Floats:
    """(N, 10) for each sentence: its words, the words of the reference nearest in length, matches and n-grams of 1 to
    4 words."""
    split = TOKENIZERS[tokenizer]
    rows = []
    for said, given in zip(translations, references, strict=True):
        words, others = split(said.rstrip()), [split(one.rstrip()) for one in given]
        matches, ngrams = clipped_matches(words, others)
        rows.append([len(words), nearest_length(len(words), others), *matches, *ngrams])
    return np.array(rows, dtype=np.float64).reshape(-1, 2 + 2 * ORDERS)


def bleu(counts: Floats) -> Floats:
    """Maps summed counts (..., 10) to BLEU (...) in [0, 1] (Papineni et al. 2002).

    An order without a match counts 1 / 2 match, the next such order 1 / 4, ... (sacreBLEU's smoothing "exp").
    """
    length, nearest = counts[..., 0], counts[..., 1]
    matches, ngrams = counts[..., 2 : 2 + ORDERS], counts[..., 2 + ORDERS :]
    halvings = (matches == 0).cumsum(-1)
    smoothed = np.where(matches == 0, 0.5**halvings, matches)
    precision = smoothed / np.maximum(ngrams, 1)
    brevity = np.minimum(0.0, 1 - nearest / np.maximum(length, 1e-12))
    found = np.exp(brevity + np.log(precision).mean(-1))
    nothing = (ngrams == 0).any(-1) | (matches.sum(-1) == 0)
    return np.where(nothing, 0.0, found)


def chrf_counts(translations: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
    """(N, 18) for each sentence: n-grams of 1 to 6 characters in it, in its best reference, and in both, without
    blanks."""
    rows = []
    for said, given in zip(translations, references, strict=True):
        own = _characters(said)
        found = [_common(own, _characters(one)) for one in given]
        rows.append(max(found, key=lambda one: float(chrf(one))))
    return np.array(rows).reshape(-1, 3 * CHARACTERS)


def chrf(counts: Floats) -> Floats:
    """Maps summed counts (..., 18) to chrF (...) in [0, 1] (M. Popović, WMT 2015): the F-measure of mean precision
    and recall."""
    own, other, both = np.split(counts, 3, axis=-1)
    there = (own > 0) & (other > 0)
    orders = np.maximum(there.sum(-1), 1)
    precision = np.where(there, both / np.maximum(own, 1), 0).sum(-1) / orders
    recall = np.where(there, both / np.maximum(other, 1), 0).sum(-1) / orders
    below = BETA**2 * precision + recall
    return np.where(below > 0, (1 + BETA**2) * precision * recall / np.maximum(below, 1e-300), 0.0)


def _characters(text: str) -> list[Counter[str]]:
    """Returns the n-grams of a text's characters, by length from 1."""
    text = "".join(text.split())
    return [
        Counter(text[place : place + n] for place in range(len(text) - n + 1))
        for n in range(1, CHARACTERS + 1)
    ]


def _common(own: Sequence[Counter[str]], other: Sequence[Counter[str]]) -> Floats:
    """(18,) counts. As in sacreBLEU, n-grams do not count if the reference is too short to have any."""
    both = [(one & two).total() for one, two in zip(own, other, strict=True)]
    return np.array(
        [
            *(one.total() if two else 0 for one, two in zip(own, other, strict=True)),
            *(two.total() for two in other),
            *both,
        ],
        dtype=np.float64,
    )
