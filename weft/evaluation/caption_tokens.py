"""The words of captions as caption metrics count them: punctuation is split off and dropped.

The rules are those of the COCO caption evaluation's tokenizer (Penn Treebank, as in Stanford's PTBTokenizer), in
lower case, extended to the punctuation and vowel signs of every script: "It isn't a dog's." becomes it, is, n't, a,
dog, 's. Text that is already tokenized stays as it is.
"""

import re
from functools import cache

from weft.core.text import (
    characters as split_characters,
)
from weft.core.text import (
    is_punctuation,
    letters_pattern,
    normalised,
    symbols_class,
)

# The tokenizer's output for brackets.
_BRACKETS = re.compile(r"(?<!\S)-[lr][rcs]b-(?!\S)")
_CLITICS = r"'(?:s|m|d|re|ve|ll)"
_CONTRACTED = re.compile(rf"(?<=[^\W\d_])n't(?!\w)|(?<=\w){_CLITICS}(?!\w)")
_TWO_WORDS = re.compile(r"\b(?:(can)(not)|(gon|wan)(na)|(got)(ta)|(gim|lem)(me))\b")
# Punctuation marks that the tokenizer keeps as words, and a symbol that it treats as a quotation
# mark.
_KEPT, _DROPPED = "#%&*@", "`"
_ABBREVIATED = r"(?:mr|mrs|ms|dr|prof|st|rd|ave|blvd|mt|jr|sr|vs|etc|inc|ltd|lt|sgt|capt|gov|sen)\."


def words(text: str) -> list[str]:
    """Splits a text into words in lower case. In scripts without blanks, splits at punctuation only."""
    plain = _BRACKETS.sub(" ", normalised(text).lower().replace("’", "'").replace("‘", "'"))
    plain = _TWO_WORDS.sub(lambda found: " ".join(filter(None, found.groups())), plain)
    plain = _CONTRACTED.sub(lambda found: " " + found[0], plain)
    return _pattern().findall(plain)


def characters(text: str) -> list[str]:
    """Splits a text into characters with their marks, without blanks and punctuation: for Chinese and similar
    scripts."""
    return [
        one
        for one in split_characters(normalised(text).lower())
        if not one.isspace() and one != _DROPPED and (one in _KEPT or not is_punctuation(one))
    ]


@cache
def _pattern() -> re.Pattern[str]:
    letters = rf"{letters_pattern()}+"
    return re.compile(
        rf"(?<!\w){_CLITICS}(?!\w)"
        rf"|\b{_ABBREVIATED}(?!\w)"
        r"|\b(?:[^\W\d_]\.){2,}"
        rf"|{letters}(?:(?:[-/.']|(?<=\d)[,:](?=\d)){letters})*"
        rf"|[{_KEPT}{symbols_class()}]"
    )
