"""ViLT, small: one transformer over words and patches, trained with matching and masked words."""

from weft.architectures.vilt import vilt as architecture
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._scenes import LENGTH, SIZE, VOCABULARY, data, fusion_run
from weft.runs.recipe import Recipe
from weft.tasks.matching import MatchingConfig as MatchingTask
from weft.training.optim import OptimConfig

WIDTH = 128


def vilt() -> Recipe:
    """ViLT on the generated world: masked words and image-text matching, in one transformer."""
    return Recipe(
        data=data(),
        model=architecture(
            vocab_size=VOCABULARY,
            image_size=SIZE,
            patch_size=8,
            width=WIDTH,
            depth=4,
            max_length=LENGTH,
        ),
        objectives={
            "masked": MaskedLanguageConfig(WIDTH, VOCABULARY, whole_words=True),
            "matching": MatchingConfig(),
        },
        tasks={"matching": MatchingTask()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, warmup=0.1, ema=0.99),
        run=fusion_run(),
    )
