"""Shared by the recipes on the world of clips."""

from weft.core.config import Config
from weft.core.interfaces import Encoder, Modality
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig
from weft.modalities.video import VideoConfig
from weft.recipes._scenes import SIMPLE as SCENES
from weft.runs.recipe import DataConfig
from weft.training.config import RunConfig
from weft.worlds.clips import ClipsConfig
from weft.worlds.clips.source import GeneratedClipsConfig

SIMPLE = ClipsConfig(frames=8, colors=SCENES.colors, shapes=SCENES.shapes, patterns=SCENES.patterns)
"""Clips of the colours, shapes and backgrounds of the recipe `scenes`."""
VOCABULARY, LENGTH, MELS = 400, 64, 48
DIM, EMBEDDING = 128, 256
"""Width of every stream's tokens, and of the embeddings."""


def streams(world: ClipsConfig = SIMPLE) -> dict[str, Config[Modality]]:
    """All frames of a clip, its sound as log-mel frames every 40 ms, the picture in its middle, a caption."""
    image = ImageConfig(size=world.size, crop_scale=None, flip=0.0)
    return {
        "video": VideoConfig(FrameSamplingConfig(frames=world.frames), image),
        "audio": AudioConfig(
            rate=world.rate,
            spectrogram=SpectrogramConfig(mels=MELS, window=0.064, hop=0.04, low=100, scale="htk"),
        ),
        "image": image,
        "text": TextConfig(vocab_size=VOCABULARY, max_length=LENGTH, fit_captions=2000),
    }


def encoders(*, tokens: bool = False) -> dict[str, Config[Encoder]]:
    """A small CNN for pictures and frames, one for sound, each with a transformer over time; one for words.

    tokens: a video has a token for every grid cell of each frame; otherwise one vector per frame.
    """
    picture = ConvNetConfig(widths=(32, 64, DIM, DIM), halvings=3, positions=True)
    return {
        "video": OverTimeConfig(PicturesEncoderConfig(picture, tokens=tokens), dim=DIM, depth=2),
        "audio": OverTimeConfig(
            SpectrogramCNNConfig(MELS, (16, 32, 64, DIM), convolutions=1, time_halvings=1),
            dim=DIM,
            depth=2,
        ),
        "image": picture,
        "text": TextTransformerConfig(VOCABULARY, dim=DIM, depth=2, heads=4, max_length=LENGTH),
    }


def data(*names: str, world: ClipsConfig = SIMPLE) -> DataConfig:
    """Generated clips without questions, with the streams of these names."""
    found = streams(world)
    return DataConfig(
        source=GeneratedClipsConfig(clips=world.replace(questions=())),
        streams={name: found[name] for name in names},
    )


def run(steps: int) -> RunConfig:
    """Settings of a run that takes minutes on one core."""
    return RunConfig(
        steps=steps,
        batch_size=64,
        evaluate_every=steps // 2,
        checkpoint_every=steps // 2,
        precision="auto",
        workers=1,
    )
