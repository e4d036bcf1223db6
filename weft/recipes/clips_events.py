"""The first event of a clip, from its video, its sound and its caption. Any of them may be missing."""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.fusion.late import LateConfig
from weft.fusion.mask_tokens import MaskTokensConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._clips import DIM, LENGTH, SIMPLE, VOCABULARY, data, run
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.classification import ClassificationTaskConfig
from weft.training.optim import OptimConfig
from weft.worlds.clips import KINDS

STREAMS = ("video", "audio", "text")
FIRST = "first"
DROPOUT = 0.3
"""Probability that a training row loses a stream."""
WORLD = SIMPLE.replace(frames=4, noise=24, hiss=0.1, told=2)
"""Clips in which no single stream has all information: few, noisy frames, in which a hit is not visible; loud hiss;
captions that leave out one of the three events."""
MELS, STEPS = 32, 1600


def clips_events() -> Recipe:
    """The kind of the first event of a clip, from video, sound and caption, trained with modality dropout."""
    return Recipe(
        data=_data(),
        model=ModelConfig(
            encoders=_encoders(),
            fusion=MaskTokensConfig(LateConfig(dict.fromkeys(STREAMS, DIM), DIM, norm=True)),
            heads={
                FIRST: HeadConfig(
                    ClassifierConfig(DIM, len(KINDS), hidden=(DIM,)), ClassOutput(FIRST)
                )
            },
        ),
        objectives={FIRST: ClassificationConfig(FIRST)},
        tasks={"classification": ClassificationTaskConfig(FIRST)},
        optim=OptimConfig(lr=2e-3, weight_decay=0.1, warmup=0.1, ema=0.98),
        run=run(STEPS).replace(
            evaluate_every=STEPS // 4,
            checkpoint_every=STEPS // 4,
            monitor="classification/accuracy",
        ),
    )


def _data() -> DataConfig:
    found = data(*STREAMS, world=WORLD)
    spectrogram = SpectrogramConfig(mels=MELS, window=0.064, hop=0.064, low=100, scale="htk")
    return found.replace(
        streams={
            **found.streams,
            "audio": AudioConfig(rate=WORLD.rate, spectrogram=spectrogram),
        },
        targets={FIRST: ClassesConfig(FIRST)},
        optional=STREAMS,
        modality_dropout=dict.fromkeys(STREAMS, DROPOUT),
    )


def _encoders() -> dict[str, Config[Encoder]]:
    """The encoders, half as deep as those of the other recipes on clips."""
    picture = ConvNetConfig(widths=(24, 48, 96), halvings=3, positions=True)
    sound = SpectrogramCNNConfig(MELS, (16, 32, 64), convolutions=1, time_halvings=1)
    return {
        "video": OverTimeConfig(PicturesEncoderConfig(picture, tokens=False), dim=DIM, depth=1),
        "audio": OverTimeConfig(sound, dim=DIM, depth=1),
        "text": TextTransformerConfig(VOCABULARY, dim=DIM, depth=1, heads=4, max_length=LENGTH),
    }
