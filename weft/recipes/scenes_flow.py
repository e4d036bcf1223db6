"""Pictures of scenes from prompts, by a rectified flow."""

from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.rectified_flow import RectifiedFlowConfig
from weft.recipes.easy_vqa_flow import drawing_model
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.tasks.held_out_loss import HeldOutLossConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.worlds.scenes.prompts import PromptsConfig

SIZE, VOCABULARY, LENGTH, WORDS = 64, 300, 16, 128


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
    """Generates scenes of one to three objects from six kinds of prompts, by a flow whose network attends to the words."""
    return Recipe(
        data=prompted(),
        model=drawing_model(
            TextTransformerConfig(VOCABULARY, dim=WORDS, depth=2, heads=4, max_length=LENGTH),
            FlowConfig(UNetConfig(SIZE, WORDS, widths=(64, 128, 192), patch=4)),
            DrawingConfig(guidance=2.0, steps=20, shift=6.0),
        ),
        # Ground and places of small objects are decided at almost pure noise, where few times would be by default.
        objectives={"flow": RectifiedFlowConfig(mean=-1.8, std=1.5)},
        tasks={"generation": GenerationTaskConfig(limit=200), "loss": HeldOutLossConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, ema=0.998),
        run=RunConfig(
            steps=3500,
            batch_size=64,
            evaluate_every=1000,
            checkpoint_every=500,
            monitor="loss/loss",
            precision="auto",
            workers=1,
        ),
    )
