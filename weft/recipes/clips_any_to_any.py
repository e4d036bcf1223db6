"""Pictures, videos, sounds and sentences of the generated world in one embedding space."""

from itertools import combinations

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._clips import DIM, EMBEDDING, data, encoders, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

STREAMS = ("video", "audio", "image", "text")
PAIRS = tuple(combinations(STREAMS, 2))


def clips_any_to_any() -> Recipe:
    """Picture, video, sound and text of generated clips in one space: contrast between all pairs."""
    return Recipe(
        data=data(*STREAMS),
        model=ModelConfig(
            encoders=encoders(),
            projections={name: ProjectionConfig(DIM, EMBEDDING) for name in STREAMS},
        ),
        objectives={
            f"{one}_{other}": SoftmaxContrastiveConfig((one, other)) for one, other in PAIRS
        },
        tasks={"retrieval": RetrievalConfig(streams=STREAMS)},
        optim=OptimConfig(lr=2e-3, weight_decay=0.1, warmup=0.1, ema=0.98),
        run=run(400).replace(monitor="retrieval/rsum"),
    )
