"""A multimodal autoencoder of the generated world: picture and caption share a latent and are generated from it."""

from weft.architectures.autoencoder import autoencoder
from weft.decoders.generation import GenerationConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.recurrent import RecurrentDecoderConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.flattened import FlattenedConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.heads.head import HeadConfig
from weft.heads.pictures import PictureOutput
from weft.heads.texts import TextOutput
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.evidence import EvidenceConfig
from weft.objectives.reconstruction import ReconstructionConfig
from weft.recipes._scenes import LENGTH, SIMPLE, VOCABULARY, data
from weft.runs.recipe import Recipe
from weft.tasks.reconstruction import ReconstructionTaskConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

LATENT, STATE = 256, 256


def scenes_autoencoder() -> Recipe:
    """Pictures and captions of the generated world through one latent: a CNN and an LSTM in, convolutions and an LSTM out."""
    return Recipe(
        data=data(SIMPLE),
        model=autoencoder(
            encoders={
                "image": FlattenedConfig(ConvNetConfig((32, 64, 128), 3), LATENT, tokens=16),
                "text": FlattenedConfig(
                    RecurrentConfig(VOCABULARY, embedding=128, hidden=STATE, cell="lstm"),
                    LATENT,
                    # The states after all tokens. The last state alone learns the order of words far more slowly.
                    tokens=LENGTH,
                ),
            },
            heads={
                "image": HeadConfig(
                    PictureConvolutionsConfig(LATENT, widths=(128, 96, 64, 32), condition=128),
                    PictureOutput(),
                ),
                "text": HeadConfig(
                    RecurrentDecoderConfig(
                        VOCABULARY,
                        LATENT,
                        embedding=128,
                        hidden=STATE,
                        attention=True,
                        max_length=LENGTH,
                    ),
                    TextOutput(generation=GenerationConfig(max_length=LENGTH)),
                ),
            },
            dim=LATENT,
            joining="mean",
        ),
        objectives={
            "evidence": EvidenceConfig(ReconstructionConfig({"image": 10.0, "text": 1.0})),
            "contrastive": SoftmaxContrastiveConfig(),
        },
        weights={"contrastive": 0.1},
        tasks={
            "reconstruction": ReconstructionTaskConfig(limit=200),
            "retrieval": RetrievalConfig(),
        },
        optim=OptimConfig(lr=2e-3, weight_decay=0.01, warmup=0.05, ema=0.99),
        run=RunConfig(
            steps=3000,
            batch_size=64,
            evaluate_every=1000,
            checkpoint_every=1000,
            monitor="reconstruction/image+text to text/tokens",
            precision="auto",
            workers=1,
        ),
    )
