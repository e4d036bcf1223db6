"""Pictures, sounds and sentences of the generated world in one space, by a contrast of all streams at once."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.objectives.attraction import ModalityInvariantConfig
from weft.recipes._clips import DIM, EMBEDDING, data, encoders, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

STREAMS = ("audio", "image", "text")


def clips_invariant() -> Recipe:
    """Sound, picture and text of generated clips in one space: modality-invariant contrast."""
    found = encoders()
    return Recipe(
        data=data(*STREAMS),
        model=ModelConfig(
            encoders={name: found[name] for name in STREAMS},
            projections={name: ProjectionConfig(DIM, EMBEDDING) for name in STREAMS},
        ),
        objectives={"invariant": ModalityInvariantConfig(STREAMS)},
        tasks={"retrieval": RetrievalConfig(streams=STREAMS)},
        optim=OptimConfig(lr=2e-3, weight_decay=0.1, warmup=0.1, ema=0.98),
        run=run(400).replace(evaluate_every=400, checkpoint_every=400),
    )
