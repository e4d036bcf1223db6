"""LXMERT, small: a cross-modality encoder, trained with matching, masked words and masked regions."""

from weft.architectures.lxmert import lxmert as architecture
from weft.recipes._scenes import LENGTH, VOCABULARY
from weft.recipes._scenes_fusion import HEADS, WIDTHS, Task, World, answers, region_fusion, regions
from weft.runs.recipe import Recipe


def lxmert(task: Task = "pretraining", world: World = "full") -> Recipe:
    """LXMERT on the generated world: cross-modality encoder, masked words, masked regions, matching."""
    seen = regions(world)
    model = architecture(
        vocab_size=VOCABULARY,
        feature_dim=seen.features,
        width=WIDTHS[world],
        text_depth=2,
        region_depth=1,
        fusion_depth=2,
        dropout=0.0,
        heads=HEADS[world],
        max_length=LENGTH,
        image=seen.stream,
        answers=answers(task),
    )
    return region_fusion(task, world, model, lr=3e-4)
