"""The demo's questions: the picture encoder is pretrained, text encoder and classifier are new."""

from weft.data.targets.cells import CellsConfig
from weft.data.targets.classes import ClassesConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.recipes._scenes import SIMPLE, data
from weft.recipes.scenes_vqa import scenes_vqa
from weft.runs.recipe import Recipe
from weft.worlds.scenes import ANSWERS
from weft.worlds.scenes.source import GeneratedConfig

BLOCKS = 2
WORLD = SIMPLE.replace(kinds=6, questions=("existence", "count", "color", "shape"))


def scenes_questions() -> Recipe:
    """`scenes_vqa` in minutes: simpler scenes and questions; --init RUN takes the picture encoder of `scenes`."""
    whole, base = scenes_vqa(), data(WORLD)
    fusion = whole.model.fusion
    assert isinstance(fusion, CrossAttentionConfig)
    transformer = fusion.transformer.replace(depth=BLOCKS)
    return whole.replace(
        data=base.replace(
            source=GeneratedConfig(scenes=WORLD, rows="questions"),
            streams={**whole.data.streams, "image": base.streams["image"]},
            targets={
                "answer": ClassesConfig("answer", ANSWERS),
                "objects": CellsConfig(cells=WORLD.size // 8),
            },
        ),
        model=whole.model.replace(fusion=fusion.replace(transformer=transformer)),
        optim=whole.optim.replace(lr=1.5e-3, warmup=0.1, ema=0.98),
        run=whole.run.replace(steps=800, batch_size=64, evaluate_every=400, checkpoint_every=400),
    )
