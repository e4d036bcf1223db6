"""ALBEF, small: contrastive loss on two towers, then matching and masked words with cross-attention."""

from weft.architectures.albef import albef as architecture
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._scenes import LENGTH, VOCABULARY
from weft.recipes._scenes_fusion import HEADS, WIDTHS, WORLDS, Task, World, answers, fusion
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig


def albef(task: Task = "pretraining", world: World = "full") -> Recipe:
    """ALBEF on the generated world: contrastive, matching with hard negatives, masked words."""
    model = architecture(
        vocab_size=VOCABULARY,
        image_size=WORLDS[world].size,
        patch_size=8,
        width=WIDTHS[world],
        image_depth=3,
        text_depth=2,
        fusion_depth=2,
        heads=HEADS[world],
        max_length=LENGTH,
        dropout=0.0,
        embedding=WIDTHS[world],
        answers=answers(task),
    )
    found = fusion(
        task,
        world,
        model,
        {
            "masked": MaskedLanguageConfig(WIDTHS[world], VOCABULARY, mask_ratio=0.15),
            "matching": MatchingConfig(negatives="hard"),
            "contrastive": SoftmaxContrastiveConfig(),
        },
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.1, ema=0.99),
        more={"retrieval": RetrievalConfig()},
    )
    return found.replace(run=found.run.replace(batch_size=64))
