"""VSE++ on Flickr8k, on the same picture features as the other recipes."""

from weft.architectures.vsepp import vsepp
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import HingeContrastiveConfig
from weft.recipes._flickr8k import IMAGE_DIM, english, mobilenet, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

VOCABULARY = 4000


def flickr8k_vsepp() -> Recipe:
    """VSE++ on Flickr8k: a linear map and a GRU, hinge on the hardest negative."""
    return Recipe(
        data=english(text=TextConfig(vocab_size=VOCABULARY, word_dropout=0.1)),
        model=vsepp(
            image=mobilenet(),
            image_dim=IMAGE_DIM,
            vocab_size=VOCABULARY,
            dim=512,
            dropout=0.3,
            pooling="mean",
        ),
        objectives={
            "hardest": HingeContrastiveConfig(margin=0.2),
            # With only the hardest negative, training collapses at the start. The sum over all negatives has
            # a small weight. It is largest at the start, and vanishes when negatives are beyond the margin.
            "all": HingeContrastiveConfig(margin=0.2, negatives="sum"),
        },
        weights={"all": 0.1},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99, clip_norm=2.0),
        run=run(epochs=24, batch_size=256, evaluations=5),
    )
