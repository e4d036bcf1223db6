"""VisualBERT, small: one transformer over words and regions learns to match and to fill in words and regions."""

from weft.architectures.visualbert import visualbert as architecture
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.masked_regions import MaskedRegionsConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._scenes import LENGTH, REGIONS, VOCABULARY, fusion_run, region_data
from weft.runs.recipe import Recipe
from weft.tasks.matching import MatchingConfig as MatchingTask
from weft.training.optim import OptimConfig

WIDTH = 128


def visualbert() -> Recipe:
    """VisualBERT on the generated world: masked words, masked regions, matching, one transformer."""
    return Recipe(
        data=region_data(),
        model=architecture(
            vocab_size=VOCABULARY,
            feature_dim=REGIONS.feature_dim,
            width=WIDTH,
            depth=4,
            dropout=0.0,
            max_length=LENGTH,
        ),
        objectives={
            "masked": MaskedLanguageConfig(WIDTH, VOCABULARY),
            "matching": MatchingConfig(),
            "regions": MaskedRegionsConfig(WIDTH, REGIONS.feature_dim),
        },
        tasks={"matching": MatchingTask()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, warmup=0.1, ema=0.99),
        run=fusion_run(),
    )
