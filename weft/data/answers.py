"""Answers of VQA v2: normalises spelling, and scores an answer against those of ten annotators.

The rules are those of the challenge's public evaluation (visualqa.org/evaluation.html; Antol et al. 2015,
arXiv:1505.00468): lower case; no articles; number words as digits; apostrophes restored in contractions; punctuation
replaced by a space, except apostrophes and colons; no full stops except decimal points; no commas between digits. As
in that code, % # & * and currency signs stay: 50% is not 50.

Three rules differ, so that other data are measured correctly:
- An article is removed only before another word, and never before "and" or "or": elsewhere it is a letter (vitamin A;
  A or B).
- A rule that would leave an answer empty is not applied: only "?" equals "?".
- Punctuation marks, letter widths and vowel signs are recognised in every script.
"""

import re
from collections import Counter
from collections.abc import Sequence

from weft.core.text import compatible, is_punctuation

ENOUGH = 3
"""An answer is fully right if this many other annotators gave it."""

ARTICLES = frozenset(("a", "an", "the"))
_CONJUNCTIONS = frozenset(("and", "or"))
_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
NUMBERS = {"none": "0", **{word: str(number) for number, word in enumerate(_UNITS)}}

# Words that mean something else without the apostrophe (its, well, were, id, ill, shell) stay as
# they are.
_CONTRACTED = {
    "'t": (
        "ain aren can couldn didn doesn don hadn hasn haven isn mightn mustn needn oughtn shan "
        "shouldn wasn weren won wouldn"
    ),
    "'ve": "could i might must should they we who would you",
    "'ll": "how it that they what who you",
    "'re": "they what you",
    "'s": "he here how let she that there what where who why",
    "'d": "how that they where who why you",
    "'m": "i",
}
CONTRACTIONS = {
    **{word + end[1:]: word + end for end, words in _CONTRACTED.items() for word in words.split()},
    **{"maam": "ma'am", "oclock": "o'clock", "yall": "y'all"},
}


# Punctuation marks that carry meaning in an answer, and symbols that count as punctuation here.
_KEPT, _DROPPED = frozenset("%#&*':"), frozenset("=+<>`\\")


def normalised(answer: str) -> str:
    """Returns the answer in the spelling used for comparison. Normalising twice changes nothing."""
    plain = compatible(answer).lower().replace("’", "'")
    text = re.sub(r"(?<=\d),(?=\d)", "", plain)
    text = re.sub(r"\.(?!\d)", "", text)
    text = "".join(" " if _separates(character) else character for character in text)
    words = [NUMBERS.get(word, word) for word in text.split()]
    words = [CONTRACTIONS.get(word, word) for word in words]
    return " ".join(_without_articles(words)) or plain


def _separates(character: str) -> bool:
    if character.isalnum() or character in _KEPT or character == ".":
        return False
    return character in _DROPPED or is_punctuation(character)


def _without_articles(words: Sequence[str]) -> list[str]:
    """Removes articles that stand before a remaining word."""
    found: list[str] = []
    for word in reversed(words):
        if word not in ARTICLES or not found or found[-1] in _CONJUNCTIONS:
            found.append(word)
    return found[::-1]


def soft_scores(answers: Sequence[str]) -> dict[str, float]:
    """Maps every normalised answer of the annotators to its score, 0 to 1.

    An answer's score is min(1, n / 3), where n other annotators gave it, averaged over leaving out each annotator in
    turn. With ten annotators, 1, 2, 3 and 4 or more equal answers score 0.3, 0.6, 0.9 and 1. The public evaluation
    code normalises the annotators' answers only where they differ; here they always are.
    """
    counts = Counter(map(normalised, answers))
    total = len(answers)
    return {
        answer: (
            count * min(1.0, (count - 1) / ENOUGH) + (total - count) * min(1.0, count / ENOUGH)
        )
        / total
        for answer, count in counts.items()
    }


def soft_score(answer: str, answers: Sequence[str]) -> float:
    """Returns the score of `answer` against the annotators' answers."""
    return soft_scores(answers).get(normalised(answer), 0.0)
