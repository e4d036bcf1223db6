"""Flickr8k captions, fine-tuned on their own CIDEr-D: weft train examples/flickr8k_self_critical.py:flickr8k_self_critical"""

from weft.objectives.self_critical import SelfCriticalConfig
from weft.recipes._flickr8k import run
from weft.recipes.flickr8k_captions import flickr8k_captions
from weft.runs.recipe import Recipe
from weft.training.optim import OptimConfig


def flickr8k_self_critical() -> Recipe:
    """One epoch of self-critical training; --init RUN takes the model of a run of `flickr8k_captions`."""
    return flickr8k_captions().replace(
        objectives={"self-critical": SelfCriticalConfig()},
        optim=OptimConfig(lr=1e-4, weight_decay=0.05, groups={"encoders.image": 0.1}),
        run=run(epochs=1, batch_size=32, evaluations=4, monitor="captioning/CIDEr-D"),
    )
