"""Word and character error rates of transcripts (by jiwer), over a whole corpus."""

import importlib.util
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import MissingExtraError
from weft.core.text import normalised

NORMALISER = "NFKC, small letters, no punctuation, single blanks"
"""Normalisation of references and transcripts before the comparison."""


@dataclass(frozen=True)
class WordErrors:
    """For each of N rows, (N,) int64: errors of each kind, and the number of units in the reference."""

    substitutions: NDArray[np.int64]
    deletions: NDArray[np.int64]
    insertions: NDArray[np.int64]
    units: NDArray[np.int64]

    @property
    def errors(self) -> NDArray[np.int64]:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors of all rows divided by the units of all references. For empty references: 0 without errors, 1 with
        errors."""
        total = int(self.units.sum())
        return float(self.errors.sum()) / total if total else float(self.errors.sum() > 0)


def normalise(text: str) -> str:
    """Normalises a text as NORMALISER says; an apostrophe within a word stays."""
    small = unicodedata.normalize("NFKC", text).casefold()
    kept = (
        c if c.isalnum() or c in "' " or unicodedata.category(c).startswith("M") else " "
        for c in small
    )
    return normalised(re.sub(r"(?<!\w)'|'(?!\w)", " ", "".join(kept)))


def word_errors(references: Sequence[str], found: Sequence[str]) -> WordErrors:
    """Counts errors of words between blanks, in normalised texts. Raises MissingExtraError without jiwer."""
    return _errors(references, found, "process_words")


def character_errors(references: Sequence[str], found: Sequence[str]) -> WordErrors:
    """Counts errors of characters, including blanks."""
    return _errors(references, found, "process_characters")


def same_words(right: str, said: str) -> list[tuple[int, int]]:
    """Returns pairs of word indices: words that are equal in the alignment of two normalised texts with the fewest
    errors."""
    if not right or not said:
        return []
    return [
        (chunk.ref_start_idx + n, chunk.hyp_start_idx + n)
        for chunk in _jiwer().process_words(right, said).alignments[0]
        if chunk.type == "equal"
        for n in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]


def _jiwer() -> Any:
    if importlib.util.find_spec("jiwer") is None:
        raise MissingExtraError("jiwer", extra="speech", purpose="counting word errors")
    import jiwer

    return jiwer


def _errors(references: Sequence[str], found: Sequence[str], process: str) -> WordErrors:
    jiwer = _jiwer()
    counts = np.zeros((4, len(references)), dtype=np.int64)
    for row, (right, said) in enumerate(zip(references, found, strict=True)):
        size = len(said.split() if process == "process_words" else said)
        if not right:  # jiwer requires a reference
            counts[:, row] = (0, 0, size, 0)
            continue
        one = getattr(jiwer, process)(right, said)
        units = one.hits + one.substitutions + one.deletions
        counts[:, row] = (one.substitutions, one.deletions, one.insertions, units)
    return WordErrors(*counts)
