"""Answers of VQA v2: one spelling for what means the same, and the score among ten annotators.

The rules are those of the challenge's public evaluation (visualqa.org/evaluation.html; Antol et al.
2015, arXiv:1505.00468): lower case; no articles; number words as digits; apostrophes back in
contractions; punctuation as a space, except apostrophes and colons; no full stop but a decimal point;
no comma between digits. As in its code % # & * and signs of currency stay: 50% is not 50.

Three rules differ, so that other data are measured rightly. An article is taken away only in front of
another word, and never before "and" and "or": it is a letter elsewhere (vitamin A; A or B). What
would leave nothing of an answer is not done: only "?" equals "?". Marks of punctuation, widths of
letters and vowel signs are known in every script.
"""

import re
from collections import Counter
from collections.abc import Sequence

from weft.core.text import compatible, is_punctuation

ENOUGH = 3
"""An answer of so many other annotators is right."""

ARTICLES = frozenset(("a", "an", "the"))
_CONJUNCTIONS = frozenset(("and", "or"))
_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
NUMBERS = {"none": "0", **{word: str(number) for number, word in enumerate(_UNITS)}}

# Words that are something else without the apostrophe (its, well, were, id, ill, shell) stay as they are.
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


# Marks of punctuation that mean something in an answer, and symbols that are punctuation here.
_KEPT, _DROPPED = frozenset("%#&*':"), frozenset("=+<>`\\")


def normalised(answer: str) -> str:
    """The answer in the spelling in which answers are compared. It is its own spelling."""
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
    """What is left where an article goes in front of another word, also of one that is left so."""
    found: list[str] = []
    for word in reversed(words):
        if word not in ARTICLES or not found or found[-1] in _CONJUNCTIONS:
            found.append(word)
    return found[::-1]


def soft_scores(answers: Sequence[str]) -> dict[str, float]:
    """Every normalised answer of the annotators -> its score, 0 to 1.

    The score of an answer is min(1, n / 3) where n others gave it, averaged over leaving out each of
    the annotators in turn. With ten of them 1, 2, 3 and 4 or more that agree give 0.3, 0.6, 0.9 and 1.
    The public evaluation code normalises the annotators' answers only where they differ; here always.
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
    """The score of `answer` among those of the annotators."""
    return soft_scores(answers).get(normalised(answer), 0.0)
