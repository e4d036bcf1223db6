"""Flickr8k with frozen towers: trained on 6,000 photographs in minutes on two cores."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.objectives.contrastive import HingeContrastiveConfig, SoftmaxContrastiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.recipes._flickr8k import (
    IMAGE_DIM,
    TEXT_DIM,
    english,
    minilm,
    minilm_tokens,
    mobilenet,
    run,
)
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig


def flickr8k() -> Recipe:
    """Flickr8k: frozen MobileNetV2 and MiniLM, trained heads, softmax and hardest-negative losses."""
    return Recipe(
        data=english(text=minilm_tokens()),
        model=ModelConfig(
            encoders={"image": mobilenet(), "text": minilm()},
            projections={
                "image": ProjectionConfig(
                    IMAGE_DIM, 1024, hidden=(2048,), dropout=0.5, norm=True, bias=True
                ),
                "text": ProjectionConfig(
                    TEXT_DIM, 1024, hidden=(1536,), dropout=0.3, norm=True, bias=True
                ),
            },
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(
                temperature=TemperatureConfig(init=0.05, learned=False)
            ),
            "hardest": HingeContrastiveConfig(margin=0.2),
        },
        weights={"hardest": 3.0},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, clip_norm=2.0, ema=0.99, warmup=0.03),
        run=run(epochs=30, batch_size=512),
    )
