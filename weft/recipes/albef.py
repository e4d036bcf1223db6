"""ALBEF, small: contrastive loss on two towers, then matching and masked words with cross-attention."""

from weft.architectures.albef import albef as architecture
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._scenes import LENGTH, SIZE, VOCABULARY, data, fusion_run
from weft.runs.recipe import Recipe
from weft.tasks.matching import MatchingConfig as MatchingTask
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

WIDTH = 128


def albef() -> Recipe:
    """ALBEF on the generated world: contrastive, matching with hard negatives, masked words."""
    return Recipe(
        data=data(),
        model=architecture(
            vocab_size=VOCABULARY,
            image_size=SIZE,
            patch_size=8,
            width=WIDTH,
            image_depth=3,
            text_depth=2,
            fusion_depth=2,
            max_length=LENGTH,
            dropout=0.0,
            embedding=WIDTH,
        ),
        objectives={
            "masked": MaskedLanguageConfig(WIDTH, VOCABULARY, mask_ratio=0.15),
            "matching": MatchingConfig(negatives="hard"),
            "contrastive": SoftmaxContrastiveConfig(),
        },
        tasks={"matching": MatchingTask(), "retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.1, ema=0.99),
        run=fusion_run().replace(batch_size=64),
    )
