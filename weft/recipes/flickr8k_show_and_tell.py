"""Flickr8k captions by a CNN and an RNN: Show and Tell on a frozen MobileNetV2."""

from weft.architectures.show_and_tell import show_and_tell
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.recipes._flickr8k import IMAGE_DIM, english, mobilenet, run
from weft.recipes.flickr8k_captions import BEAM, LONGEST, VOCABULARY
from weft.runs.recipe import Recipe
from weft.tasks.captioning import CaptioningTaskConfig
from weft.training.optim import OptimConfig


def flickr8k_show_and_tell() -> Recipe:
    """Show and Tell on Flickr8k: one vector of a frozen MobileNetV2, an LSTM that writes words."""
    return Recipe(
        data=english(text=TextConfig(kind="word", max_length=LONGEST, train_captions=5)),
        model=show_and_tell(
            image=mobilenet(),
            image_dim=IMAGE_DIM,
            vocab_size=VOCABULARY,
            max_length=LONGEST,
            dropout=0.5,
            output=BEAM,
        ),
        objectives={"captioning": CaptioningConfig(label_smoothing=0.1)},
        tasks={"captioning": CaptioningTaskConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, ema=0.995),
        run=run(epochs=10, batch_size=64, evaluations=4, monitor="captioning/CIDEr-D"),
    )
