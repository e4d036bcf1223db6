"""Shared by the recipes of conditional GANs: pictures from texts, by a generator and a critic that take turns."""

from weft.architectures.gan import gan
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.objectives.adversarial import CriticConfig, GeneratorConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import PlayerConfig


def trained_gan(
    data: DataConfig,
    words: Config[Encoder],
    generator: PictureConvolutionsConfig,
    critic: PictureCriticConfig,
    *,
    penalty: float,
    task: GenerationTaskConfig,
) -> Recipe:
    """A GAN whose critic also tells a picture's own text among those of the batch. penalty: weight of R1 and of R2."""
    optim = OptimConfig(lr=1e-3, betas=(0.5, 0.99), weight_decay=0.0, warmup=0.0, clip_norm=None)
    return Recipe(
        data=data,
        model=gan(text=words, text_dim=generator.context_dim, generator=generator, critic=critic),
        objectives={
            "critic": CriticConfig(r1=penalty, r2=penalty, wrong=0.0, contrast=1.0),
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
        tasks={"generation": task},
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
