"""A small CLIP that learns the generated world in minutes on two cores."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._scenes import LENGTH, PICTURE, SIMPLE, VOCABULARY, data, pictures, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

TEXT, EMBEDDING = 64, 256


def scenes() -> Recipe:
    """CLIP with a small CNN on the generated world, from scratch, in minutes on two cores."""
    return Recipe(
        data=data(SIMPLE),
        model=ModelConfig(
            encoders={
                "image": pictures(),
                "text": TextTransformerConfig(
                    VOCABULARY, dim=TEXT, depth=1, heads=2, max_length=LENGTH
                ),
            },
            projections={
                "image": ProjectionConfig(PICTURE, EMBEDDING),
                "text": ProjectionConfig(TEXT, EMBEDDING),
            },
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig()},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=3e-3, weight_decay=0.1, warmup=0.1, ema=0.97),
        run=run(400).replace(evaluate_every=200, precision="auto"),
    )
