"""ESC-10: sounds named by classes that training never heard, by a map into the space of sentences."""

from weft.architectures.model import ModelConfig, PooledConfig, ProjectionConfig
from weft.data.features import CacheConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.recipes._flickr8k import TEXT_DIM, minilm, minilm_tokens
from weft.recipes.esc10 import WIDTH, esc10
from weft.runs.recipe import Recipe
from weft.tasks.zero_shot import SOUND_TEMPLATES, ZeroShotConfig
from weft.training.optim import OptimConfig

NAMES = (
    "chainsaw",
    "clock tick",
    "crackling fire",
    "crying baby",
    "dog",
    "helicopter",
    "rain",
    "rooster",
    "sea waves",
    "sneezing",
)
HELD_OUT = "dog|helicopter"


def esc10_zero_shot() -> Recipe:
    """ESC-10 zero-shot: two classes are left out of training; weft crossval esc10_zero_shot --by label --together 2."""
    sounds = esc10()
    named = ZeroShotConfig("audio", "text", label="text", templates=SOUND_TEMPLATES, ks=(1,))
    return Recipe(
        data=sounds.data.replace(
            source=sounds.data.source.replace(held_out={"label": HELD_OUT}),
            streams={**sounds.data.streams, "text": minilm_tokens()},
            targets={},
            cache={**sounds.data.cache, "text": CacheConfig()},
        ),
        model=ModelConfig(
            encoders={**sounds.model.encoders, "text": minilm()},
            projections={
                "audio": ProjectionConfig(WIDTH, TEXT_DIM, norm=True),
                "text": PooledConfig(),
            },
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(
                ("audio", "text"), temperature=TemperatureConfig(init=0.1, learned=False)
            )
        },
        tasks={"held_out_names": named, "all_names": named.replace(classes=NAMES)},
        optim=OptimConfig(lr=1e-3, weight_decay=0.5, ema=0.99),
        run=sounds.run.replace(steps=150, evaluate_every=150, checkpoint_every=150, monitor=None),
    )
