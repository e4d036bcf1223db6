"""ESC-10: environmental sounds, by a picture encoder that reads spectrograms."""

from weft.architectures.model import ModelConfig
from weft.data.features import CacheConfig
from weft.data.prepare.split import SplitConfig
from weft.data.sources import FilesConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.frozen import FrozenConfig
from weft.encoders.joined import JoinedConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.spectrogram_picture import SpectrogramPictureConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.classification import ClassificationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

MELS, CLASSES = 128, 10
SHRINKS = (1, 2)
"""Reductions of the frame rate: the spectrogram is read with frames of 10 ms and of 20 ms."""
LEVELS = (11, 14, 17)
"""Stages of MobileNetV2 whose outputs are pooled. These know edges and textures; the last ones know photographs."""
VALIDATION = 0.05
"""Share of the validation split. It is small, since it chooses nothing and there are only 320 training sounds."""
WIDTH = len(SHRINKS) * 2 * (64 + 96 + 160)


def esc10() -> Recipe:
    """ESC-10: ten kinds of sounds, by a frozen picture encoder over spectrograms; weft crossval esc10 --by fold."""
    weights = folder() / "mobilenet_v2" / "mobilenet_v2_1.0_224_folded_fp16.safetensors"
    picture = MobileNetV2Config(weights=str(weights), levels=LEVELS)
    encoder = JoinedConfig(tuple(SpectrogramPictureConfig(picture, shrink) for shrink in SHRINKS))
    return Recipe(
        data=DataConfig(
            source=FilesConfig(
                folder() / "esc10",
                held_out={"fold": "1"},
                division=SplitConfig(validation=VALIDATION, test=0.0),
            ),
            streams={
                "audio": AudioConfig(
                    rate=16_000,
                    level="peak",
                    trim=40.0,
                    spectrogram=SpectrogramConfig(mels=MELS, window=0.04, floor=90.0),
                )
            },
            targets={"label": ClassesConfig("label")},
            cache={"audio": CacheConfig()},
        ),
        model=ModelConfig(
            encoders={"audio": FrozenConfig(encoder, tokens=False)},
            heads={
                "label": HeadConfig(
                    ClassifierConfig(WIDTH, CLASSES, norm=True), ClassOutput("label"), "audio"
                )
            },
        ),
        objectives={"label": ClassificationConfig("label", label_smoothing=0.1)},
        tasks={"classification": ClassificationTaskConfig("label")},
        optim=OptimConfig(lr=1e-3, weight_decay=0.5, ema=0.99),
        run=RunConfig(
            steps=300,
            batch_size=64,
            evaluate_every=300,
            checkpoint_every=300,
            monitor="classification/accuracy",
        ),
    )
