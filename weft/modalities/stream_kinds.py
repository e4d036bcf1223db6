"""The kind of a stream's values: a picture, a text, a sound, ..."""

import importlib.util

from weft.core.errors import MissingExtraError
from weft.core.interfaces import Modality, ReadsMedia
from weft.modalities.ngrams import Ngrams
from weft.modalities.text import Text

DECODERS = {"audio": ("soundfile", "soxr"), "video": ("av",)}
"""Kind -> the packages that read its files. Each kind has an extra of its name."""


def kind_of_stream(modality: Modality) -> str:
    """Returns text, image, audio, video or array; "" for any other."""
    if isinstance(modality, Text | Ngrams):
        return "text"
    return modality.media if isinstance(modality, ReadsMedia) else ""


def missing_decoder(modality: Modality) -> MissingExtraError | None:
    """Returns the error that reading a file of this stream will raise, or None if its packages are installed."""
    kind = kind_of_stream(modality)
    for package in DECODERS.get(kind, ()):
        if importlib.util.find_spec(package) is None:
            return MissingExtraError(package, extra=kind, purpose=f"reading {kind}")
    return None
