"""Which rows and captions are good enough to keep."""

from dataclasses import dataclass

from weft.core.config import Settings
from weft.data.prepare.captions import normalised, words
from weft.data.prepare.scan import RowFacts


@dataclass(frozen=True)
class CleanConfig(Settings):
    """What is left out as unusable. Rows that cannot be read are always left out."""

    min_side: int = 1
    """Least length of a picture's shorter side, in pixels."""
    max_aspect: float | None = None
    """Greatest ratio of a picture's longer to its shorter side; None: any."""
    min_caption_words: int = 1
    """Captions with fewer words (in Chinese: characters) are left out."""
    max_caption_chars: int | None = None
    """Captions with more characters are left out; None: any length."""
    normalise_captions: bool = True
    """Bring captions to Unicode NFC on one line, without control or invisible characters."""

    def __post_init__(self) -> None:
        if self.min_caption_words < 0 or self.min_side < 1:
            raise ValueError(
                f"min_caption_words is {self.min_caption_words} and min_side {self.min_side}, "
                "expected at least 0 and 1"
            )


def clean_captions(captions: tuple[str, ...], config: CleanConfig) -> tuple[list[str], list[str]]:
    """(captions to keep, reasons why the others are left out)."""
    kept: list[str] = []
    reasons: list[str] = []
    for original in captions:
        caption = normalised(original) if config.normalise_captions else original
        if len(words(caption)) < config.min_caption_words:
            reasons.append("empty caption" if not words(caption) else "short caption")
        elif config.max_caption_chars is not None and len(caption) > config.max_caption_chars:
            reasons.append("long caption")
        else:
            kept.append(caption)
    return kept, reasons


def unusable(facts: RowFacts, captions: list[str], config: CleanConfig) -> tuple[str, str] | None:
    """(reason, details) where the row must be left out. captions: those that are kept."""
    if facts.error is not None:
        return "unreadable", facts.error
    if "text" in (facts.columns or {}) and not captions:
        return "no caption", f"none of {len(facts.captions)} captions can be used"
    if facts.size is not None:
        width, height = facts.size
        if min(width, height) < config.min_side:
            return "small picture", f"{width} x {height} pixels"
        if config.max_aspect is not None and max(width, height) > config.max_aspect * min(
            width, height
        ):
            return "narrow picture", f"{width} x {height} pixels"
    return None
