"""VisualBERT, small: a transformer over words and regions; matching, masked words and masked regions."""

from weft.architectures.visualbert import visualbert as architecture
from weft.recipes._scenes import LENGTH, VOCABULARY
from weft.recipes._scenes_fusion import HEADS, WIDTHS, Task, World, answers, region_fusion, regions
from weft.runs.recipe import Recipe


def visualbert(task: Task = "pretraining", world: World = "full") -> Recipe:
    """VisualBERT on the generated world: masked words, masked regions, matching, one transformer."""
    seen = regions(world)
    model = architecture(
        vocab_size=VOCABULARY,
        feature_dim=seen.features,
        width=WIDTHS[world],
        depth=4,
        dropout=0.0,
        heads=HEADS[world],
        max_length=LENGTH,
        image=seen.stream,
        answers=answers(task),
    )
    return region_fusion(task, world, model, lr=1e-3)
