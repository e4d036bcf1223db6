"""SigLIP from scratch, sized for a laptop."""

from weft.architectures.siglip import siglip as architecture
from weft.objectives.contrastive import SigmoidContrastiveConfig
from weft.recipes._scenes import LENGTH, SIZE, VOCABULARY, data, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig


def siglip() -> Recipe:
    """SigLIP (mean-pooled transformers, sigmoid loss), from scratch on Scenes or --data."""
    return Recipe(
        data=data(),
        model=architecture(
            vocab_size=VOCABULARY,
            image_size=SIZE,
            patch_size=8,
            width=192,
            depth=6,
            text_depth=4,
            max_length=LENGTH,
            embedding=192,
        ),
        objectives={"contrastive": SigmoidContrastiveConfig()},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.1, betas=(0.9, 0.95), warmup=0.1),
        run=run(3000),
    )
