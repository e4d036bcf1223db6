"""Free Spoken Digit Dataset: English digits translated into Chinese text."""

from weft.data.targets.transcript import TranscriptConfig
from weft.recipes.fsdd_words import spoken
from weft.runs.recipe import Recipe


def fsdd_translation() -> Recipe:
    """Speech translation: spoken English digits to Chinese characters, by CTC and attention."""
    return spoken(TranscriptConfig("chinese"))
