"""Pictures of scenes from prompts, by a rectified flow over latents."""

from weft.architectures.model import ProjectionConfig
from weft.architectures.rectified_flow import rectified_flow
from weft.decoders.codecs.convolutions import PictureCodecConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.latent_codec import LatentCodecConfig
from weft.objectives.rectified_flow import RectifiedFlowConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.tasks.held_out_loss import HeldOutLossConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import PlayerConfig
from weft.worlds.scenes.prompts import PromptsConfig

SIZE, VOCABULARY, LENGTH, WORDS = 64, 300, 16, 128
EMBEDDING = 256
FLOW = "heads.picture.decoder"
CODEC = PictureCodecConfig(SIZE, channels=8)


def prompted() -> DataConfig:
    """Prompts such as "a red star and a blue circle" with pictures. No mirroring, as prompts say left and right."""
    return DataConfig(
        source=PromptsConfig(),
        streams={
            "text": TextConfig(
                kind="word",
                vocab_size=VOCABULARY,
                max_length=LENGTH,
                min_frequency=1,
                fit_captions=2000,
            ),
            "image": ImageConfig(size=SIZE, crop_scale=None, flip=0.0),
        },
    )


def scenes_flow() -> Recipe:
    """Generates scenes of one to three objects from six kinds of prompts, by a flow over 8 x 8 latents.

    First the codec learns to reconstruct and the text encoder to match prompts with pictures. Then both stay fixed, as
    in Rombach et al. 2022 (arXiv:2112.10752), and only the flow goes on.
    """
    channels, side, _ = CODEC.latents
    model = rectified_flow(
        text=TextTransformerConfig(VOCABULARY, dim=WORDS, depth=2, heads=4, max_length=LENGTH),
        flow=FlowConfig(
            UNetConfig(side, WORDS, (128,), blocks=3, patch=1, channels=channels), codec=CODEC
        ),
        drawing=DrawingConfig(guidance=3.0, steps=24, shift=3.0),
    )
    optim = OptimConfig(lr=1e-3, weight_decay=0.01, ema=0.998)
    first = optim.replace(lr=2e-3, ema=None)
    return Recipe(
        data=prompted(),
        model=model.replace(
            encoders={
                **model.encoders,
                "image": ConvNetConfig((24, 48, 96, 128), halvings=3, positions=True),
            },
            projections={
                "image": ProjectionConfig(128, EMBEDDING),
                "text": ProjectionConfig(WORDS, EMBEDDING),
            },
        ),
        objectives={
            "codec": LatentCodecConfig(noise=0.3, share=0.25),
            "contrastive": SoftmaxContrastiveConfig(),
            "flow": RectifiedFlowConfig(mean=-0.9, std=1.2),
        },
        players={
            "codec": PlayerConfig(("codec",), (f"{FLOW}.codec",), first, until=0.3),
            "words": PlayerConfig(
                ("contrastive",),
                ("encoders", "projections"),
                first.replace(weight_decay=0.1),
                until=0.3,
            ),
            "flow": PlayerConfig(("flow",), (f"{FLOW}.network", f"{FLOW}.no_context"), optim),
        },
        tasks={
            "generation": GenerationTaskConfig(limit=600),
            "loss": HeldOutLossConfig(),
            "retrieval": RetrievalConfig(),
        },
        run=RunConfig(
            steps=5000,
            batch_size=64,
            evaluate_every=2500,
            checkpoint_every=500,
            monitor="loss/loss",
            precision="auto",
            workers=1,
        ),
    )
