"""Flickr8k with cross-attention: a matching head that re-ranks the best candidates."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.extended import ExtendedConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.fusion.similarity import SimilarityConfig
from weft.heads.classes import MATCHING
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig
from weft.objectives.contrastive import HingeContrastiveConfig, SoftmaxContrastiveConfig
from weft.objectives.matching import MatchingConfig
from weft.objectives.temperature import TemperatureConfig
from weft.recipes._flickr8k import (
    MINILM,
    TEXT_DIM,
    captions,
    grid,
    grid_photographs,
    minilm_tokens,
    run,
)
from weft.runs.recipe import Recipe
from weft.tasks.reranking import RerankingConfig
from weft.training.optim import OptimConfig

DIM, EMBEDDING = 256, 512


def flickr8k_reranked() -> Recipe:
    """Flickr8k re-ranking: words attend to the grid of a frozen MobileNetV2; a head predicts the match."""
    return Recipe(
        data=captions(
            "captions.jsonl",
            {"text": minilm_tokens()},
            image=grid_photographs(),
            train_views=4,
        ),
        model=ModelConfig(
            encoders={
                "image": ExtendedConfig(
                    grid(), TransformerConfig(DIM, depth=0, heads=4, dropout=0.2)
                ),
                "text": PretrainedConfig(MINILM, mode="partial", trainable_layers=2),
            },
            projections={
                "image": ProjectionConfig(DIM, EMBEDDING, hidden=(1024,), dropout=0.3, bias=True),
                "text": ProjectionConfig(
                    TEXT_DIM, EMBEDDING, hidden=(1024,), dropout=0.3, norm=True, bias=True
                ),
            },
            fusion=SimilarityConfig({"text": TEXT_DIM, "image": DIM}, DIM),
            heads={
                "matching": HeadConfig(
                    ClassifierConfig(DIM, 2, hidden=(DIM,), dropout=0.2), MATCHING
                )
            },
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(
                temperature=TemperatureConfig(init=0.05, learned=False)
            ),
            "hardest": HingeContrastiveConfig(margin=0.2),
            "matching": MatchingConfig(negatives="hard", temperature=0.05),
        },
        tasks={"reranking": RerankingConfig(candidates=10, weight=0.035)},
        optim=OptimConfig(
            lr=5e-4,
            weight_decay=0.05,
            clip_norm=2.0,
            ema=0.99,
            warmup=0.05,
            groups={"encoders.text": 0.2, "encoders.image.encoder": 0.2},
        ),
        run=run(epochs=15, batch_size=96, evaluations=3, monitor="reranking/rsum"),
    )
