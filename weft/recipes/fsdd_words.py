"""Free Spoken Digit Dataset: transcription of the spoken word, and no words without speech, by CTC and attention."""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Target
from weft.data.noise_only import NoiseOnlyConfig
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.joint import JointDecoderConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.objectives.ctc import CTCConfig
from weft.objectives.transcript_attention import TranscriptAttentionConfig
from weft.recipes._data import folder
from weft.recipes.fsdd import DIGITS, MELS, WIDTHS, heard
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.transcription import TranscriptionTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

DIM, STEPS = 96, 1000
CTC_WEIGHT = 0.3
"""Weight of CTC; attention has the rest. In training and in the search (Watanabe et al. 2017 take 0.1 to 0.5)."""


def fsdd_words() -> Recipe:
    """Spoken digits to words, by CTC and attention; some training sounds are noise, so that noise gives no words."""
    return spoken(TranscriptConfig("text", unit="word"), NoiseOnlyConfig(0.3))


def spoken(target: Config[Target], noise_only: NoiseOnlyConfig | None = None) -> Recipe:
    """A CNN over frames, a GRU over its tokens of 40 ms, and CTC and attention over ten units."""
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
                    dropout=0.1,
                )
            },
            heads={
                "transcript": HeadConfig(
                    JointDecoderConfig(DIM, DIGITS + 1, dim=DIM, max_length=4, dropout=0.1),
                    TranscriptOutput(search="joint", beams=4, ctc_weight=CTC_WEIGHT),
                    "audio",
                )
            },
        ),
        objectives={"ctc": CTCConfig(), "attention": TranscriptAttentionConfig()},
        weights={"ctc": CTC_WEIGHT, "attention": 1 - CTC_WEIGHT},
        tasks={"transcription": TranscriptionTaskConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=STEPS,
            batch_size=32,
            evaluate_every=STEPS // 4,
            checkpoint_every=STEPS,
            monitor="transcription/WER",
            precision="auto",
            workers=0,
        ),
    )
