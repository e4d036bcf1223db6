"""Converts names in code and files to words for a person."""

from collections.abc import Collection

LANGUAGES = {
    "ar": "Arabic",
    "cs": "Czech",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "sv": "Swedish",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""Language codes (ISO 639-1) that are not English words; they end the name of a stream."""


def plain(name: str) -> str:
    """The name in words.

    `text_zh` is "Chinese text", its plural `text_zhs` is "Chinese texts", and `image_to_text/recall@1` is "image to
    text, recall@1".
    """
    return ", ".join(_part(part) for part in name.split("/"))


def free_name(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of `name_1`, `name_2`, ... that is not in use."""
    tried = (name, *(f"{name}_{number}" for number in range(1, len(taken) + 1)))
    return next(each for each in tried if each not in taken)


def shown(value: object) -> str:
    """A value of a row as text; a list is joined with '; '."""
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "none"
    return str(value)


def _part(name: str) -> str:
    words: list[str] = []
    for word in name.split("_"):
        code, several = word.removesuffix("s"), word.endswith("s")
        if words and words[-1] and word in LANGUAGES:
            words[-1:] = [LANGUAGES[word], words[-1]]
        elif words and words[-1] and several and code in LANGUAGES:
            words[-1:] = [LANGUAGES[code], f"{words[-1]}s"]
        else:
            words.append(word)
    return " ".join(words)
