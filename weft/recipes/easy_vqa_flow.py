"""easy-VQA: pictures generated from a short description by a rectified flow."""

from weft.architectures.rectified_flow import rectified_flow
from weft.data.sources import FilesConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.rectified_flow import RectifiedFlowConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.tasks.held_out_loss import HeldOutLossConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

SIZE, VOCABULARY, WORDS = 32, 300, 64
SPECIAL = (0, 1, 2, 3, 4)
"""Ids of special tokens."""


def described() -> DataConfig:
    """The pictures of easy-VQA with descriptions such as "a red circle". Mirrored too: no description changes."""
    return DataConfig(
        source=FilesConfig(folder() / "easy_vqa", format="easy_vqa_shapes"),
        streams={
            "text": TextConfig(kind="word", vocab_size=VOCABULARY, max_length=8, min_frequency=1),
            "image": ImageConfig(size=SIZE, crop_scale=None, flip=0.5),
        },
    )


def easy_vqa_flow() -> Recipe:
    """Pictures of easy-VQA from their descriptions, by a rectified flow over pixels."""
    return Recipe(
        data=described(),
        model=rectified_flow(
            text=WordVectorsConfig(VOCABULARY, dim=WORDS, ignored_ids=SPECIAL),
            flow=FlowConfig(
                UNetConfig(SIZE, WORDS, widths=(48, 96, 128), patch=2, attention=False)
            ),
            drawing=DrawingConfig(guidance=2.0),
        ),
        objectives={"flow": RectifiedFlowConfig()},
        tasks={"generation": GenerationTaskConfig(), "loss": HeldOutLossConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, ema=0.995),
        run=RunConfig(
            steps=3000,
            batch_size=64,
            evaluate_every=1000,
            checkpoint_every=1000,
            monitor="loss/loss",
            precision="auto",
            workers=1,
        ),
    )
