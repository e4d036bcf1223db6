"""GRID: the sound, the frames and the words of a short video of a speaker in one space."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_transforms import SoundChangesConfig, SpecAugmentConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig
from weft.modalities.video import VideoConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.ctc import CTCConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

STREAMS = ("audio", "video", "text")
MELS, WIDTHS, DIM, EMBEDDING, UNITS = 40, (16, 32, 64), 128, 128, 40
FRAMES, SIDE = 25, 48
VOCABULARY, LENGTH = 300, 24


def grid_any_to_any() -> Recipe:
    """GRID: sound, video and words in one space: contrast between all pairs, and CTC that finds the words in sound."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "grid_s1"),
            streams={
                "audio": AudioConfig(
                    rate=16_000,
                    level="rms",
                    normalise="row",
                    spectrogram=SpectrogramConfig(
                        mels=MELS, window=0.04, hop=0.02, low=60.0, floor=70.0
                    ),
                    changes=SoundChangesConfig(noise=(5.0, 30.0)),
                    masks=SpecAugmentConfig(bands=2, bands_share=0.15, times=2, times_share=0.05),
                ),
                "video": VideoConfig(
                    FrameSamplingConfig(frames=FRAMES),
                    ImageConfig(size=SIDE, crop_scale=None, flip=0.0),
                ),
                "text": TextConfig(vocab_size=VOCABULARY, max_length=LENGTH),
            },
            targets={"transcript": TranscriptConfig("text")},
        ),
        model=ModelConfig(
            encoders={
                "audio": OverTimeConfig(
                    SpectrogramCNNConfig(MELS, WIDTHS, convolutions=1, time_halvings=1),
                    dim=DIM,
                    kind="gru",
                    dropout=0.1,
                ),
                "video": OverTimeConfig(
                    PicturesEncoderConfig(ConvNetConfig(widths=(16, 32, 64, DIM), halvings=4)),
                    dim=DIM,
                    dropout=0.1,
                ),
                "text": TextTransformerConfig(
                    VOCABULARY, dim=DIM, depth=1, heads=4, max_length=LENGTH
                ),
            },
            projections={name: ProjectionConfig(DIM, EMBEDDING) for name in STREAMS},
            heads={
                "transcript": HeadConfig(
                    CTCDecoderConfig(DIM, UNITS, dropout=0.1), TranscriptOutput(), "audio"
                )
            },
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(STREAMS),
            "transcript": CTCConfig(),
        },
        tasks={"retrieval": RetrievalConfig(streams=STREAMS)},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, warmup=0.1, ema=0.98),
        run=RunConfig(
            steps=260,
            batch_size=30,
            evaluate_every=0,
            checkpoint_every=260,
            precision="auto",
            workers=2,
        ),
    )
