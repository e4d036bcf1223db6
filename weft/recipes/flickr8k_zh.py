"""Flickr8k-CN: Chinese sentences by native speakers, a text tower from scratch."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import HingeContrastiveConfig, SoftmaxContrastiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.recipes._flickr8k import IMAGE_DIM, captions, mobilenet, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

VOCABULARY = 4000
GRU = 512


def chinese() -> TextConfig:
    """WordPiece trained on the captions; every Chinese character is a token."""
    return TextConfig(vocab_size=VOCABULARY, max_length=48, word_dropout=0.15)


def chinese_encoder(hidden: int = GRU) -> RecurrentConfig:
    """A bidirectional GRU, mean of its states: width 2 x hidden."""
    return RecurrentConfig(
        VOCABULARY, embedding=300, hidden=hidden, bidirectional=True, pooling="mean", dropout=0.4
    )


def flickr8k_zh() -> Recipe:
    """Flickr8k-CN: frozen MobileNetV2, a GRU from scratch over the Chinese captions."""
    return Recipe(
        data=captions("captions_zh.jsonl", {"text": chinese()}),
        model=ModelConfig(
            encoders={"image": mobilenet(), "text": chinese_encoder()},
            projections={
                "image": ProjectionConfig(
                    IMAGE_DIM, 1024, hidden=(2048,), dropout=0.5, norm=True, bias=True
                ),
                "text": ProjectionConfig(2 * GRU, 1024),
            },
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(
                temperature=TemperatureConfig(init=0.05, learned=False)
            ),
            "hardest": HingeContrastiveConfig(margin=0.2),
        },
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, clip_norm=2.0, ema=0.99),
        run=run(epochs=20, batch_size=256),
    )
