"""Pictures of scenes from prompts, by a conditional GAN."""

from weft.decoders.drawing import DrawingConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.projection_critic import ProjectionCriticConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.objectives.adversarial import CriticConfig, GeneratorConfig
from weft.recipes.easy_vqa_flow import SPECIAL, drawing_model
from weft.recipes.scenes_flow import SIZE, VOCABULARY, WORDS, prompted
from weft.runs.recipe import Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import PlayerConfig

NOISE, SEEN = 32, 128


def scenes_gan() -> Recipe:
    """Generates scenes of one to three objects from six kinds of prompts, by a generator and a critic that take turns."""
    model = drawing_model(
        WordVectorsConfig(VOCABULARY, dim=WORDS, ignored_ids=SPECIAL),
        PictureConvolutionsConfig(WORDS, widths=(96, 64, 48, 32, 16), noise=NOISE, condition=128),
        DrawingConfig(),
    )
    optim = OptimConfig(lr=1e-3, betas=(0.5, 0.99), weight_decay=0.0, warmup=0.0, clip_norm=None)
    return Recipe(
        data=prompted(),
        model=model.replace(
            encoders={
                **model.encoders,
                "image": PictureCriticConfig(SIZE, widths=(32, 64, 96), dim=SEEN, patch=4),
            },
            heads={
                **model.heads,
                "critic": HeadConfig(
                    ProjectionCriticConfig(SEEN, condition=WORDS), NumberOutput(), "image"
                ),
            },
        ),
        objectives={
            "critic": CriticConfig(r1=0.3, r2=0.3, wrong=0.0, contrast=1.0),
            "generator": GeneratorConfig(contrast=0.3),
        },
        players={
            "critic": PlayerConfig(("critic",), ("encoders.image", "heads.critic"), optim),
            "generator": PlayerConfig(
                ("generator",),
                ("encoders.text", "heads.picture"),
                optim.replace(lr=4e-4, ema=0.998),
            ),
        },
        tasks={"generation": GenerationTaskConfig(limit=600)},
        run=RunConfig(
            steps=3000,
            batch_size=32,
            evaluate_every=1000,
            checkpoint_every=500,
            monitor="generation/KID",
            precision="auto",
            workers=1,
        ),
    )
