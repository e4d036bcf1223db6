"""DeViSE on Flickr8k, on the same picture features as the other recipes."""

from weft.architectures.devise import devise
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import HingeContrastiveConfig
from weft.recipes._flickr8k import IMAGE_DIM, english, mobilenet, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

VOCABULARY = 3000
SPECIAL_IDS = (0, 1, 2, 3, 4)
"""The special tokens (padding, unknown, start, end, mask) are not words."""


def flickr8k_devise() -> Recipe:
    """DeViSE on Flickr8k: a linear map to the mean of learned word vectors, hinge over all negatives."""
    return Recipe(
        data=english(text=TextConfig(vocab_size=VOCABULARY)),
        model=devise(
            image=mobilenet(),
            image_dim=IMAGE_DIM,
            vocab_size=VOCABULARY,
            ignored_ids=SPECIAL_IDS,
        ),
        objectives={"hinge": HingeContrastiveConfig(negatives="sum", margin=0.2)},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05),
        run=run(epochs=12, batch_size=128),
    )
