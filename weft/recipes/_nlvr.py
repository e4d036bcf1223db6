"""Shared by the recipes for NLVR: pictures of three boxes, sentences, and the model that reads both."""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Modality
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.points import PointsConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.fusion.early import EarlyConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig
from weft.modalities.image_sequence import ImageSequenceConfig
from weft.modalities.text import TextConfig
from weft.worlds.boxes import BOXES, KINDS, MOST

VOCABULARY, LENGTH, WIDTH, HEADS = 400, 64, 128, 4
TRUTH = ClassesConfig("label", ("false", "true"))
COUNT = ClassesConfig("count", tuple(str(n) for n in range(MOST + 1)))


def streams(*, shuffle: bool) -> dict[str, Config[Modality]]:
    """shuffle: put the boxes of a training picture in random order; no sentence depends on their order."""
    return {
        "image": ImageSequenceConfig(count=BOXES, shuffle=shuffle),
        "text": TextConfig(vocab_size=VOCABULARY, max_length=LENGTH, fit_captions=50_000),
    }


def model(dropout: float = 0.0) -> ModelConfig:
    """A transformer over one sequence of words and of objects, which are encoded as points."""
    return ModelConfig(
        encoders={
            "image": PointsConfig(KINDS, WIDTH),
            "text": TextTransformerConfig(
                VOCABULARY, dim=WIDTH, depth=1, heads=HEADS, mlp=2 * WIDTH, max_length=LENGTH
            ),
        },
        fusion=EarlyConfig(
            {"image": WIDTH, "text": WIDTH},
            TransformerConfig(WIDTH, depth=4, heads=HEADS, mlp=2 * WIDTH, dropout=dropout),
        ),
        heads={
            "label": HeadConfig(ClassifierConfig(WIDTH, len(TRUTH.classes)), ClassOutput("label")),
            "count": HeadConfig(ClassifierConfig(WIDTH, len(COUNT.classes)), ClassOutput("count")),
        },
    )
