"""Streams of a table's sounds, films and tags, for the recipes for own data."""

from typing import NamedTuple

from weft.core.config import Config
from weft.core.interfaces import Encoder, Modality
from weft.data.features import CacheConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_transforms import SoundChangesConfig, SpecAugmentConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.tags import TagsInputConfig
from weft.modalities.video import VideoConfig

RATE, SECONDS, MELS, CNN = 16_000, 10.0, 64, (16, 32, 64, 128, 128)
FRAMES = 8


class Stream(NamedTuple):
    """How a column is read and encoded, the width of its features, and the cache of a frozen part."""

    modality: Config[Modality]
    encoder: Config[Encoder]
    width: int
    cache: CacheConfig | None = None


def sounds() -> Stream:
    """Windows of 10 s as log-mel frames, by a small CNN."""
    modality = AudioConfig(
        rate=RATE,
        seconds=SECONDS,
        level="peak",
        spectrogram=SpectrogramConfig(mels=MELS, window=0.04, hop=0.02),
        changes=SoundChangesConfig(gain=6.0, shift=0.5),
        masks=SpecAugmentConfig(bands=1, times=2),
    )
    return Stream(modality, SpectrogramCNNConfig(MELS, CNN, convolutions=1), CNN[-1])


def films(picture: ImageConfig, encoder: Config[Encoder], dim: int, cached: bool) -> Stream:
    """Frames at even distances, each by the encoder of pictures, and a transformer over time."""
    sampling = FrameSamplingConfig("uniform" if cached else "random", frames=FRAMES)
    over_time = OverTimeConfig(PicturesEncoderConfig(encoder), dim=dim)
    cache = CacheConfig() if cached else None
    return Stream(VideoConfig(sampling, picture), over_time, dim, cache)


def tags(dim: int, different: int) -> Stream:
    """A learned vector for each tag, and their mean."""
    modality = TagsInputConfig(most=max(16, min(256, different)))
    return Stream(modality, WordVectorsConfig(modality.vocab_size, dim=dim), dim)
