"""ViLBERT, small: co-attention of words and regions; matching, masked words and masked regions."""

from weft.architectures.vilbert import vilbert as architecture
from weft.recipes._scenes import LENGTH, VOCABULARY
from weft.recipes._scenes_fusion import HEADS, WIDTHS, Task, World, answers, region_fusion, regions
from weft.runs.recipe import Recipe


def vilbert(task: Task = "pretraining", world: World = "full") -> Recipe:
    """ViLBERT on the generated world: two streams with co-attention, masked words, masked regions, matching."""
    seen = regions(world)
    model = architecture(
        vocab_size=VOCABULARY,
        feature_dim=seen.features,
        text_width=WIDTHS[world],
        image_width=WIDTHS[world],
        text_depth=2,
        fusion_depth=2,
        dropout=0.0,
        heads=HEADS[world],
        max_length=LENGTH,
        image=seen.stream,
        answers=answers(task),
    )
    return region_fusion(task, world, model, lr=3e-4)
