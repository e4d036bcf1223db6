"""Flickr8k captions, second stage: the captions of `flickr8k_captions`, rewarded by CIDEr-D."""

from weft.objectives.self_critical import SelfCriticalConfig
from weft.recipes._flickr8k import run
from weft.recipes.flickr8k_captions import VOCABULARY, flickr8k_captions
from weft.runs.recipe import Recipe
from weft.training.optim import OptimConfig


def flickr8k_captions_rewarded() -> Recipe:
    """Flickr8k captions, second stage: self-critical training; needs --init RUN of flickr8k_captions."""
    first = flickr8k_captions()
    return first.replace(
        objectives={"self_critical": SelfCriticalConfig(tokens=VOCABULARY)},
        optim=OptimConfig(
            lr=1e-4,
            weight_decay=0.05,
            warmup=0.02,
            floor=0.1,
            ema=0.98,
            groups={"encoders.image": 0.1},
        ),
        run=run(epochs=3, batch_size=32, evaluations=3, monitor="captioning/CIDEr-D"),
    )
