"""Free Spoken Digit Dataset: classification of the spoken digit, by a CNN over log-mel frames."""

from weft.architectures.model import ModelConfig
from weft.data.sources import FilesConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_transforms import SoundChangesConfig, SpecAugmentConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.classification import ClassificationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

MELS, WIDTHS, DIGITS = 40, (24, 48, 96), 10


def heard(noise: tuple[float, float] = (5.0, 30.0)) -> AudioConfig:
    """Log-mel frames of a digit, trimmed and at a fixed level. noise: signal-to-noise ratios in training, in dB."""
    return AudioConfig(
        rate=8000,
        level="rms",
        trim=35.0,
        normalise="sound",
        spectrogram=SpectrogramConfig(mels=MELS, low=60.0, floor=60.0),
        changes=SoundChangesConfig(speed=(0.8, 1.25), noise=noise),
        masks=SpecAugmentConfig(bands=1, times=1),
    )


def fsdd() -> Recipe:
    """Spoken digits, by a CNN; the official split, or speaker by speaker with weft crossval --by speaker."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "fsdd"),
            streams={"audio": heard()},
            targets={"digit": ClassesConfig("digit")},
        ),
        model=ModelConfig(
            encoders={"audio": SpectrogramCNNConfig(MELS, WIDTHS, time_halvings=2)},
            heads={
                "digit": HeadConfig(
                    ClassifierConfig(WIDTHS[-1], DIGITS, dropout=0.3), ClassOutput("digit"), "audio"
                )
            },
        ),
        objectives={"digit": ClassificationConfig("digit", label_smoothing=0.1)},
        tasks={"classification": ClassificationTaskConfig("digit")},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=800,
            batch_size=32,
            evaluate_every=400,
            checkpoint_every=800,
            monitor="classification/accuracy",
            precision="auto",
            workers=2,
        ),
    )
