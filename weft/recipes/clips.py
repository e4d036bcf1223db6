"""Videos and sentences of the generated world: contrast and matching."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.decoders.classifier import ClassifierConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.heads.classes import MATCHING
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._clips import DIM, EMBEDDING, data, encoders, run
from weft.runs.recipe import Recipe
from weft.tasks.matching import MatchingConfig as MatchingTask
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

PAIR = ("video", "text")


def clips() -> Recipe:
    """Video-text contrast and matching on generated clips, from scratch, in minutes on one core."""
    found = encoders()
    return Recipe(
        data=data(*PAIR),
        model=ModelConfig(
            encoders={name: found[name] for name in PAIR},
            projections={name: ProjectionConfig(DIM, EMBEDDING) for name in PAIR},
            fusion=CrossAttentionConfig(
                dict.fromkeys(PAIR, DIM), TransformerConfig(DIM, depth=1, heads=4)
            ),
            heads={"matching": HeadConfig(ClassifierConfig(DIM, 2), MATCHING)},
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(PAIR),
            "matching": MatchingConfig(PAIR, negatives="hard"),
        },
        tasks={
            "retrieval": RetrievalConfig(first="video"),
            "matching": MatchingTask(first="video"),
        },
        optim=OptimConfig(lr=2e-3, weight_decay=0.1, warmup=0.1, ema=0.98),
        run=run(600).replace(monitor="retrieval/rsum"),
    )
