"""The kind of a stream's values: a picture, a text, a sound, ..."""

from weft.core.interfaces import Modality, ReadsMedia
from weft.modalities.ngrams import Ngrams
from weft.modalities.text import Text


def kind_of_stream(modality: Modality) -> str:
    """Returns text, image, audio, video or array; "" for any other."""
    if isinstance(modality, Text | Ngrams):
        return "text"
    return modality.media if isinstance(modality, ReadsMedia) else ""
