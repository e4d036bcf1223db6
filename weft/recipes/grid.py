"""GRID: the words of a short sentence, heard in the sound of a video."""

from weft.architectures.model import ModelConfig
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_transforms import SoundChangesConfig, SpecAugmentConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.objectives.ctc import CTCConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.transcription import TranscriptionTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

MELS, WIDTHS, DIM, UNITS = 48, (16, 32, 64), 128, 40


def grid() -> Recipe:
    """GRID: speech to text from sound, by a CNN, a GRU in both directions and CTC over characters."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "grid_s1"),
            streams={
                "audio": AudioConfig(
                    rate=16_000,
                    level="rms",
                    normalise="row",
                    spectrogram=SpectrogramConfig(mels=MELS, hop=0.0125, low=60.0, floor=70.0),
                    changes=SoundChangesConfig(speed=(0.9, 1.1), noise=(5.0, 30.0)),
                    masks=SpecAugmentConfig(bands=2, bands_share=0.15, times=2, times_share=0.05),
                )
            },
            targets={"transcript": TranscriptConfig("text")},
        ),
        model=ModelConfig(
            encoders={
                "audio": OverTimeConfig(
                    SpectrogramCNNConfig(MELS, WIDTHS, convolutions=1, time_halvings=1),
                    dim=DIM,
                    kind="gru",
                    dropout=0.2,
                )
            },
            heads={
                "transcript": HeadConfig(
                    CTCDecoderConfig(DIM, UNITS, dropout=0.2), TranscriptOutput(), "audio"
                )
            },
        ),
        objectives={"transcript": CTCConfig()},
        tasks={"transcription": TranscriptionTaskConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.01, ema=0.99),
        run=RunConfig(
            steps=1500,
            batch_size=16,
            evaluate_every=300,
            checkpoint_every=1500,
            monitor="transcription/WER",
            precision="auto",
            workers=2,
        ),
    )
