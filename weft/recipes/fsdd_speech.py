"""Free Spoken Digit Dataset: speech synthesis of digits, and of numbers of several digits, from words."""

from weft.architectures.model import ModelConfig
from weft.data.chaining import ChainConfig
from weft.data.sources import FilesConfig
from weft.data.targets.word_times import WordTimesConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.spoken_flow import PLACES, SpokenFlowConfig
from weft.decoders.velocity.frames import FrameVelocityConfig
from weft.encoders.frame_statistics import FrameStatisticsConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.heads.head import HeadConfig
from weft.heads.sounds import SoundOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig
from weft.objectives.spoken_flow import SpokenFlowObjectiveConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

RATE, HOP, MELS, WORDS = 8000, 0.008, 64, 64
LONGEST = 640
"""Largest number of frames: 5.1 s."""
SPECIAL = (0, 1, 2, 3, 4)
"""Ids of special tokens."""


def said() -> AudioConfig:
    """Log-mel frames of 64 bands every 8 ms, in a scale from which sound can be reconstructed."""
    return AudioConfig(
        rate=RATE,
        level="rms",
        normalise="fixed",
        mean=-9.0,
        std=3.0,
        spectrogram=SpectrogramConfig(mels=MELS, window=0.032, hop=HOP, low=60.0, floor=60.0),
    )


def fsdd_speech() -> Recipe:
    """Speech synthesis of digits and of numbers with up to five digits: a flow over frames with predicted durations."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "fsdd"),
            streams={
                "text": TextConfig(kind="word", vocab_size=300, max_length=12, min_frequency=1),
                "audio": said(),
            },
            targets={"times": WordTimesConfig()},
            chain=ChainConfig(rows=(1, 3), same="speaker"),
        ),
        model=ModelConfig(
            encoders={"text": WordVectorsConfig(300, dim=WORDS, ignored_ids=SPECIAL)},
            heads={
                "speech": HeadConfig(
                    SpokenFlowConfig(
                        FrameVelocityConfig(MELS, WORDS + PLACES, frames=LONGEST, dim=128, depth=8),
                        context_dim=WORDS,
                    ),
                    SoundOutput(drawing=DrawingConfig(steps=8, guidance=10.0)),
                    "text",
                )
            },
        ),
        objectives={"speech": SpokenFlowObjectiveConfig(1 / HOP)},
        tasks={
            "generation": GenerationTaskConfig(
                head="speech", features=FrameStatisticsConfig(MELS), limit=300
            )
        },
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, ema=0.995),
        run=RunConfig(
            steps=3000,
            batch_size=32,
            # Evaluated only at the end, so the last weights are kept. KID prefers the weights of step 2,000, but a
            # recogniser understands less of their speech.
            evaluate_every=3000,
            checkpoint_every=1000,
            monitor="generation/KID",
            precision="auto",
            workers=1,
        ),
    )
