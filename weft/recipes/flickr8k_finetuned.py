"""Flickr8k with the top layers of the sentence encoder trained too: the second model of an ensemble."""

from weft.encoders.pretrained import PretrainedConfig
from weft.recipes._flickr8k import MINILM, run
from weft.recipes.flickr8k import flickr8k
from weft.runs.recipe import Recipe


def flickr8k_finetuned() -> Recipe:
    """Flickr8k, with the two top layers of MiniLM fine-tuned at a tenth of the learning rate."""
    frozen = flickr8k()
    encoders = {
        **frozen.model.encoders,
        "text": PretrainedConfig(MINILM, mode="partial", trainable_layers=2),
    }
    return frozen.replace(
        model=frozen.model.replace(encoders=encoders),
        optim=frozen.optim.replace(groups={"encoders.text": 0.1}),
        run=run(epochs=20, batch_size=512, evaluations=4),
    )
