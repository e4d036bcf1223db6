"""The demo's fine-tuning: the picture encoder is pretrained, the language is new."""

from weft.architectures.model import ModelConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._scenes import SIMPLE, data, run
from weft.recipes.scenes import scenes
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig
from weft.worlds.scenes.source import GeneratedConfig


def scenes_zh() -> Recipe:
    """Chinese captions of the generated world; --init RUN starts from a run of the recipe scenes_objects."""
    english = scenes()
    base = data(SIMPLE)
    parts = english.model
    return english.replace(
        data=base.replace(
            source=GeneratedConfig(scenes=SIMPLE.replace(languages=("en", "zh"))),
            streams={"image": base.streams["image"], "text_zh": base.streams["text"]},
        ),
        model=ModelConfig(
            encoders={"image": parts.encoders["image"], "text_zh": parts.encoders["text"]},
            projections={"image": parts.projections["image"], "text_zh": parts.projections["text"]},
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig(streams=("image", "text_zh"))},
        tasks={"retrieval": RetrievalConfig(second="text_zh")},
        optim=OptimConfig(
            lr=2e-3, weight_decay=0.1, warmup=0.1, ema=0.98, groups={"encoders.image": 0.1}
        ),
        run=run(150).replace(evaluate_every=150, precision="auto"),
    )
