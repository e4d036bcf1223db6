"""Pictures of scenes from prompts, by a rectified flow over patches."""

from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.velocity.patches import PatchVelocityConfig
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
    """Generates scenes of one to three objects from six kinds of prompts, by a flow whose patches attend to the words."""
    return Recipe(
        data=prompted(),
        model=drawing_model(
            TextTransformerConfig(VOCABULARY, dim=WORDS, depth=2, heads=4, max_length=LENGTH),
            FlowConfig(PatchVelocityConfig(SIZE, WORDS, patch=8, dim=192, depth=6, heads=6)),
            DrawingConfig(guidance=2.0),
        ),
        objectives={"flow": RectifiedFlowConfig()},
        tasks={"generation": GenerationTaskConfig(limit=200), "loss": HeldOutLossConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, ema=0.998),
        run=RunConfig(
            steps=6000,
            batch_size=64,
            evaluate_every=2000,
            checkpoint_every=1000,
            monitor="loss/loss",
            precision="auto",
            workers=1,
        ),
    )
