"""The demo's questions: the picture encoder is pretrained, text encoder and classifier are new."""

from weft.data.targets.classes import ClassesConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.recipes._scenes import SIZE
from weft.recipes.scenes_vqa import scenes_vqa
from weft.runs.recipe import Recipe
from weft.worlds.scenes import ANSWERS, ScenesConfig
from weft.worlds.scenes.source import GeneratedConfig


def scenes_questions() -> Recipe:
    """`scenes_vqa` in a minute: fewer blocks and steps; --init RUN takes the picture encoder of `scenes`."""
    whole = scenes_vqa()
    fusion = whole.model.fusion
    assert isinstance(fusion, CrossAttentionConfig)
    transformer = fusion.transformer.replace(depth=3)
    return whole.replace(
        data=whole.data.replace(
            source=GeneratedConfig(scenes=ScenesConfig(size=SIZE), rows="questions"),
            targets={**whole.data.targets, "answer": ClassesConfig("answer", ANSWERS)},
        ),
        model=whole.model.replace(fusion=fusion.replace(transformer=transformer)),
        optim=whole.optim.replace(lr=1.5e-3, warmup=0.1, ema=0.98),
        run=whole.run.replace(steps=400, evaluate_every=400, checkpoint_every=400),
    )
