"""Flickr8k with frozen towers, and a classifier of modalities that the heads learn to deceive."""

from weft.objectives.modality_adversary import ModalityAdversaryConfig
from weft.recipes.flickr8k import flickr8k
from weft.runs.recipe import Recipe
from weft.tasks.modality_probe import ModalityProbeConfig

WIDTH = 1024


def flickr8k_adversarial() -> Recipe:
    """Flickr8k: `flickr8k` with adversarial alignment of pictures and captions beside contrast.

    The adversary is linear, and the means of the embeddings are matched: only where they differ can a linear probe tell
    the modality.
    """
    plain = flickr8k()
    adversary = ModalityAdversaryConfig(WIDTH, hidden=(), matching=300.0)
    return plain.replace(
        objectives={**plain.objectives, "adversary": adversary},
        weights={**plain.weights, "adversary": 0.3},
        tasks={**plain.tasks, "modality_probe": ModalityProbeConfig()},
    )
