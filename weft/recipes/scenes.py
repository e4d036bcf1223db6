"""The demo's pretraining: a small CLIP that learns the generated world in minutes on two cores."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._scenes import LENGTH, VOCABULARY, data, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

WIDTH, TEXT, EMBEDDING = 24, 128, 256


def scenes() -> Recipe:
    """CLIP with a narrow ResNet on the generated world, from scratch, in minutes on two cores."""
    return Recipe(
        data=data(),
        model=ModelConfig(
            encoders={
                "image": ResNetConfig(depth=18, width=WIDTH),
                "text": TextTransformerConfig(
                    VOCABULARY, dim=TEXT, depth=1, heads=2, max_length=LENGTH
                ),
            },
            projections={
                "image": ProjectionConfig(8 * WIDTH, EMBEDDING),
                "text": ProjectionConfig(TEXT, EMBEDDING),
            },
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig()},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.1, warmup=0.1, ema=0.99),
        run=run(200).replace(batch_size=256, evaluate_every=100, precision="auto"),
    )
