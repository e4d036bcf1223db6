"""The demo's questions: the pictures are known from pretraining, the words and answers are new."""

from weft.architectures.model import ModelConfig
from weft.data.scenes import ANSWERS, ScenesConfig
from weft.data.sources import GeneratedConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.layers.transformer import TransformerConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._scenes import SIZE, data, run
from weft.recipes.scenes import TEXT, WIDTH, scenes
from weft.runs.recipe import Recipe
from weft.tasks.vqa import VQAConfig
from weft.training.optim import OptimConfig


def scenes_questions() -> Recipe:
    """Questions about the generated world, answered in a minute; --init RUN takes the pictures of `scenes`."""
    pretraining = scenes()
    base, parts = data(), pretraining.model
    return pretraining.replace(
        data=base.replace(
            source=GeneratedConfig(scenes=ScenesConfig(size=SIZE), rows="questions"),
            streams={"image": base.streams["image"], "question": base.streams["text"]},
            targets={"answer": ClassesConfig("answer", ANSWERS)},
        ),
        model=ModelConfig(
            encoders={"image": parts.encoders["image"], "question": parts.encoders["text"]},
            fusion=CrossAttentionConfig(
                {"image": 8 * WIDTH, "question": TEXT},
                TransformerConfig(TEXT, depth=2, heads=4),
                queries="question",
                pooling="mean",
            ),
            decoders={"answer": ClassifierConfig(TEXT, len(ANSWERS), hidden=(TEXT,))},
        ),
        objectives={"answer": ClassificationConfig()},
        tasks={"vqa": VQAConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, warmup=0.1, ema=0.98),
        run=run(100).replace(
            batch_size=256, evaluate_every=100, monitor="vqa/accuracy", precision="auto"
        ),
    )
