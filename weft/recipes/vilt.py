"""ViLT, small: one transformer over words and patches, trained with matching and masked words."""

from weft.architectures.vilt import vilt as architecture
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._scenes import LENGTH, VOCABULARY
from weft.recipes._scenes_fusion import HEADS, WIDTHS, WORLDS, Task, World, answers, fusion
from weft.runs.recipe import Recipe
from weft.training.optim import OptimConfig


def vilt(task: Task = "pretraining", world: World = "full") -> Recipe:
    """ViLT on the generated world: masked words and image-text matching, in one transformer."""
    model = architecture(
        vocab_size=VOCABULARY,
        image_size=WORLDS[world].size,
        patch_size=8,
        width=WIDTHS[world],
        depth=4,
        heads=HEADS[world],
        max_length=LENGTH,
        answers=answers(task),
    )
    return fusion(
        task,
        world,
        model,
        {
            "masked": MaskedLanguageConfig(WIDTHS[world], VOCABULARY, whole_words=True),
            "matching": MatchingConfig(),
        },
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, warmup=0.1, ema=0.99),
    )
