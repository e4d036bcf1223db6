"""LiT on Flickr8k: the locked MobileNetV2 is read by a text transformer from scratch."""

from weft.architectures.lit import lit
from weft.encoders.mobilenet import MobileNetV2Config
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._flickr8k import IMAGE_DIM, english, mobilenet, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

VOCABULARY, LENGTH = 4000, 48


def flickr8k_lit() -> Recipe:
    """LiT on Flickr8k: locked MobileNetV2, a small text transformer from scratch, softmax loss."""
    image = mobilenet().encoder
    assert isinstance(image, MobileNetV2Config)
    return Recipe(
        data=english(text=TextConfig(vocab_size=VOCABULARY, max_length=LENGTH, word_dropout=0.1)),
        model=lit(
            image=image,
            image_dim=IMAGE_DIM,
            vocab_size=VOCABULARY,
            width=256,
            depth=2,
            max_length=LENGTH,
            embedding=512,
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig()},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.1, ema=0.99),
        run=run(epochs=20, batch_size=256),
    )
