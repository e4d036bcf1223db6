"""Free Spoken Digit Dataset: the word that is said, and nothing where nothing is said, by CTC."""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Target
from weft.data.noise_only import NoiseOnlyConfig
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.objectives.ctc import CTCConfig
from weft.recipes._data import folder
from weft.recipes.fsdd import DIGITS, MELS, WIDTHS, heard
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.transcription import TranscriptionTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

DIM = 96


def fsdd_words() -> Recipe:
    """Spoken digits as words, by CTC; a part of the training sounds is noise, so that it writes nothing there."""
    return spoken(TranscriptConfig("text", unit="word"), 800, NoiseOnlyConfig(0.3))


def spoken(target: Config[Target], steps: int, noise_only: NoiseOnlyConfig | None = None) -> Recipe:
    """A CNN over frames, a GRU over its tokens of 40 ms, and CTC over ten units."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "fsdd"),
            streams={"audio": heard()},
            targets={"transcript": target},
            noise_only=noise_only,
        ),
        model=ModelConfig(
            encoders={
                "audio": OverTimeConfig(
                    SpectrogramCNNConfig(MELS, WIDTHS, convolutions=1, time_halvings=2),
                    dim=DIM,
                    kind="gru",
                    depth=1,
                    dropout=0.2,
                )
            },
            heads={
                "transcript": HeadConfig(
                    CTCDecoderConfig(DIM, DIGITS + 1, dropout=0.3), TranscriptOutput(), "audio"
                )
            },
        ),
        objectives={"transcript": CTCConfig()},
        tasks={"transcription": TranscriptionTaskConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=steps,
            batch_size=32,
            evaluate_every=steps // 4,
            checkpoint_every=steps,
            monitor="transcription/WER",
            precision="auto",
            workers=0,
        ),
    )
