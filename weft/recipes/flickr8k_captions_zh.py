"""Flickr8k-CN captions: the model of `flickr8k_captions`, writing Chinese characters."""

from weft.architectures.captioner import captioner
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.recipes._flickr8k import IMAGE_DIM, captions, grid, grid_photographs, run
from weft.recipes.flickr8k_captions import BEAM
from weft.runs.recipe import Recipe
from weft.tasks.captioning import CaptioningTaskConfig
from weft.training.optim import OptimConfig

VOCABULARY, LONGEST = 4000, 40


def flickr8k_captions_zh() -> Recipe:
    """Flickr8k-CN captions: the grid of a frozen MobileNetV2, a transformer that writes Chinese."""
    return Recipe(
        data=captions(
            "captions_zh.jsonl",
            {"text": TextConfig(vocab_size=VOCABULARY, max_length=LONGEST, train_captions=5)},
            image=grid_photographs(),
            train_views=4,
        ),
        model=captioner(
            image=grid(),
            image_dim=IMAGE_DIM,
            vocab_size=VOCABULARY,
            max_length=LONGEST,
            encoder_dropout=0.1,
            decoder_dropout=0.2,
            output=BEAM,
            views=2,
        ),
        objectives={"captioning": CaptioningConfig(label_smoothing=0.1)},
        tasks={"captioning": CaptioningTaskConfig(unit="character")},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, ema=0.995, groups={"encoders.image": 0.1}),
        run=run(epochs=8, batch_size=32, evaluations=4, monitor="captioning/CIDEr-D"),
    )
