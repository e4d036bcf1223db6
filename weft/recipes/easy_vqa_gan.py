"""easy-VQA: pictures generated from a short description by a conditional GAN."""

from weft.decoders.drawing import DrawingConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.projection_critic import ProjectionCriticConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.objectives.adversarial import CriticConfig, GeneratorConfig
from weft.recipes.easy_vqa_flow import (
    SIZE,
    SPECIAL,
    VOCABULARY,
    WORDS,
    described,
    drawing_model,
)
from weft.runs.recipe import Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import PlayerConfig

NOISE, SEEN = 32, 128


def easy_vqa_gan() -> Recipe:
    """Pictures of easy-VQA from their descriptions, by a generator and a critic that take turns."""
    model = drawing_model(
        WordVectorsConfig(VOCABULARY, dim=WORDS, ignored_ids=SPECIAL),
        PictureConvolutionsConfig(WORDS, widths=(96, 64, 48, 24), noise=NOISE, condition=128),
        DrawingConfig(),
    )
    optim = OptimConfig(lr=1e-3, betas=(0.5, 0.99), weight_decay=0.0, warmup=0.0, clip_norm=None)
    return Recipe(
        data=described(),
        model=model.replace(
            encoders={
                **model.encoders,
                "image": PictureCriticConfig(SIZE, widths=(24, 48, 96), dim=SEEN, patch=2),
            },
            heads={
                **model.heads,
                "critic": HeadConfig(
                    ProjectionCriticConfig(SEEN, condition=WORDS), NumberOutput(), "image"
                ),
            },
        ),
        objectives={
            "critic": CriticConfig(r1=0.1, r2=0.1, wrong=0.0, contrast=1.0),
            "generator": GeneratorConfig(contrast=0.3),
        },
        players={
            "critic": PlayerConfig(("critic",), ("encoders.image", "heads.critic"), optim),
            "generator": PlayerConfig(
                ("generator",),
                ("encoders.text", "heads.picture"),
                # Slower than the critic, which has to tell shapes apart before the generator can learn to draw them.
                optim.replace(lr=4e-4, ema=0.998),
            ),
        },
        tasks={"generation": GenerationTaskConfig()},
        run=RunConfig(
            steps=3000,
            batch_size=32,
            evaluate_every=1000,
            checkpoint_every=1000,
            monitor="generation/KID",
            precision="auto",
            workers=1,
        ),
    )
