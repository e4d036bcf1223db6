"""ESC-10: environmental sounds, by a CNN over log-mel frames."""

from weft.architectures.model import ModelConfig
from weft.data.mixing import MixConfig
from weft.data.prepare.split import SplitConfig
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

MELS, WIDTHS, CLASSES = 64, (24, 48, 96, 192), 10


def esc10() -> Recipe:
    """ESC-10: ten kinds of environmental sounds, by a CNN over log-mel frames; folds with weft crossval --by fold."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(
                folder() / "esc10", held_out={"fold": "1"}, division=SplitConfig(test=0.0)
            ),
            streams={
                "audio": AudioConfig(
                    rate=16_000,
                    level="peak",
                    spectrogram=SpectrogramConfig(mels=MELS, window=0.04, hop=0.02),
                    changes=SoundChangesConfig(gain=6.0, shift=1.0),
                    masks=SpecAugmentConfig(bands=1, times=2),
                )
            },
            targets={"label": ClassesConfig("label")},
            mix=MixConfig(("audio",)),
        ),
        model=ModelConfig(
            encoders={"audio": SpectrogramCNNConfig(MELS, WIDTHS, dropout=0.2)},
            heads={
                "label": HeadConfig(
                    ClassifierConfig(WIDTHS[-1], CLASSES), ClassOutput("label"), "audio"
                )
            },
        ),
        objectives={"label": ClassificationConfig("label")},
        tasks={"classification": ClassificationTaskConfig("label")},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=600,
            batch_size=32,
            evaluate_every=200,
            checkpoint_every=600,
            monitor="classification/accuracy",
            precision="auto",
            workers=2,
        ),
    )
