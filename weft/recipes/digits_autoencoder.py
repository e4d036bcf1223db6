"""A multimodal autoencoder of digits: generates pictures, sounds and words from each other."""

from weft.architectures.autoencoder import autoencoder
from weft.data.sources import FilesConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.recurrent import RecurrentDecoderConfig
from weft.decoders.sound_convolutions import SoundConvolutionsConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.flattened import FlattenedConfig
from weft.encoders.frame_statistics import FrameStatisticsConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.heads.head import HeadConfig
from weft.heads.pictures import PictureOutput
from weft.heads.sounds import SoundOutput
from weft.heads.texts import TextOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig
from weft.objectives.evidence import EvidenceConfig
from weft.objectives.reconstruction import ReconstructionConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.tasks.reconstruction import ReconstructionTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.worlds.digits.source import DrawnDigitsConfig

SIZE, RATE, FRAMES, BANDS, LATENT, VOCABULARY, WORD = 32, 8000, 64, 40, 64, 300, 4
WIDE = 256
"""Width of the words' states. With 64 the latent's noise hides the word, and the text decoder ignores the latent."""
HOP = 64 / RATE


def digits() -> DataConfig:
    """Spoken digits of half a second, generated pictures of digits of 32 pixels, and number words."""
    return DataConfig(
        source=DrawnDigitsConfig(FilesConfig(folder() / "fsdd"), SIZE),
        streams={
            "image": ImageConfig(size=SIZE, crop_scale=None, flip=0.0),
            "audio": AudioConfig(
                rate=RATE,
                seconds=(FRAMES - 1) * HOP,
                fill="silence",
                level="rms",
                normalise="fixed",
                mean=-9.0,
                std=3.0,
                spectrogram=SpectrogramConfig(
                    mels=BANDS, window=0.032, hop=HOP, low=60.0, floor=60.0
                ),
            ),
            "text": TextConfig(
                kind="word", vocab_size=VOCABULARY, max_length=WORD, min_frequency=1
            ),
        },
    )


def digits_autoencoder() -> Recipe:
    """Drawn, spoken and written digits share one latent; each can be generated from any other."""
    return Recipe(
        data=digits(),
        model=autoencoder(
            encoders={
                "image": FlattenedConfig(ConvNetConfig((16, 32, 64), 3), LATENT, tokens=16),
                "audio": FlattenedConfig(
                    SpectrogramCNNConfig(BANDS, (24, 48, 96), time_halvings=2), LATENT
                ),
                "text": FlattenedConfig(
                    RecurrentConfig(
                        VOCABULARY, embedding=WIDE, hidden=WIDE, cell="lstm", pooling="max"
                    ),
                    LATENT,
                ),
            },
            heads={
                "image": HeadConfig(
                    PictureConvolutionsConfig(LATENT, widths=(96, 64, 32, 16), condition=64),
                    PictureOutput(),
                ),
                "audio": HeadConfig(
                    SoundConvolutionsConfig(LATENT, FRAMES, BANDS, (96, 64, 32, 16), condition=64),
                    SoundOutput(),
                ),
                "text": HeadConfig(
                    RecurrentDecoderConfig(
                        VOCABULARY,
                        LATENT,
                        embedding=WIDE,
                        hidden=WIDE,
                        max_length=WORD,
                        attention=True,
                    ),
                    TextOutput(generation=GenerationConfig(max_length=WORD)),
                ),
            },
            dim=LATENT,
            joining="mixture_of_products",
        ),
        objectives={
            "evidence": EvidenceConfig(
                ReconstructionConfig({"image": 10.0, "audio": 3.0, "text": 1.0}),
                divergence=3e-2,
            )
        },
        tasks={
            "reconstruction": ReconstructionTaskConfig(heads=("image", "text")),
            "text_to_image": GenerationTaskConfig(head="image", inputs=("text",)),
            "audio_to_image": GenerationTaskConfig(head="image", inputs=("audio",)),
            "text_to_audio": GenerationTaskConfig(
                head="audio", inputs=("text",), features=FrameStatisticsConfig(BANDS)
            ),
            "image_to_audio": GenerationTaskConfig(
                head="audio", inputs=("image",), features=FrameStatisticsConfig(BANDS)
            ),
        },
        optim=OptimConfig(lr=2e-3, weight_decay=0.01, ema=0.99),
        run=RunConfig(
            steps=1500,
            batch_size=64,
            evaluate_every=500,
            checkpoint_every=500,
            monitor="reconstruction/image+audio+text to image/PSNR",
            precision="auto",
            workers=1,
        ),
    )
