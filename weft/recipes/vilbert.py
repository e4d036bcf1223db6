"""ViLBERT, small: co-attention of words and regions; matching, masked words and masked regions."""

from weft.architectures.vilbert import vilbert as architecture
from weft.recipes._scenes import LENGTH, REGIONS, VOCABULARY, region_pretraining
from weft.runs.recipe import Recipe

WIDTH = 128


def vilbert() -> Recipe:
    """ViLBERT on the generated world: two streams with co-attention, masked words, masked regions, matching."""
    model = architecture(
        vocab_size=VOCABULARY,
        feature_dim=REGIONS.feature_dim,
        text_width=WIDTH,
        image_width=WIDTH,
        text_depth=2,
        fusion_depth=2,
        dropout=0.0,
        max_length=LENGTH,
    )
    return region_pretraining(model, WIDTH, lr=3e-4)
