"""VisualBERT, small: a transformer over words and regions; matching, masked words and masked regions."""

from weft.architectures.visualbert import visualbert as architecture
from weft.recipes._scenes import LENGTH, REGIONS, VOCABULARY, region_pretraining
from weft.runs.recipe import Recipe

WIDTH = 128


def visualbert() -> Recipe:
    """VisualBERT on the generated world: masked words, masked regions, matching, one transformer."""
    model = architecture(
        vocab_size=VOCABULARY,
        feature_dim=REGIONS.feature_dim,
        width=WIDTH,
        depth=4,
        dropout=0.0,
        max_length=LENGTH,
    )
    return region_pretraining(model, WIDTH, lr=1e-3)
