"""LXMERT, small: a cross-modality encoder, trained with matching, masked words and masked regions."""

from weft.architectures.lxmert import lxmert as architecture
from weft.recipes._scenes import LENGTH, REGIONS, VOCABULARY, region_pretraining
from weft.runs.recipe import Recipe

WIDTH = 128


def lxmert() -> Recipe:
    """LXMERT on the generated world: cross-modality encoder, masked words, masked regions, matching."""
    model = architecture(
        vocab_size=VOCABULARY,
        feature_dim=REGIONS.feature_dim,
        width=WIDTH,
        text_depth=2,
        region_depth=1,
        fusion_depth=2,
        dropout=0.0,
        max_length=LENGTH,
    )
    return region_pretraining(model, WIDTH, lr=3e-4)
