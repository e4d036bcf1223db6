"""easy-VQA: late fusion by the product of a small CNN and a bag of words."""

from weft.architectures.model import ModelConfig
from weft.data.sources import FilesConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.late import LateConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.vqa import VQAConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

SIZE, VOCABULARY, ANSWERS = 64, 300, 13
WIDTHS, WORDS, FUSED = (32, 64, 128, 128), 128, 128


def easy_vqa() -> Recipe:
    """easy-VQA: a small CNN, a bag of words and their product, in minutes on one core."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "easy_vqa"),
            streams={
                "image": ImageConfig(size=SIZE, crop_scale=None, flip=0.5),
                "question": TextConfig(vocab_size=VOCABULARY, max_length=24),
            },
            targets={"answer": ClassesConfig("answer")},
        ),
        model=ModelConfig(
            encoders={
                "image": ConvNetConfig(widths=WIDTHS, halvings=4, pooling="max"),
                "question": WordVectorsConfig(VOCABULARY, dim=WORDS),
            },
            fusion=LateConfig(
                {"image": WIDTHS[-1], "question": WORDS},
                dim=FUSED,
                combine="product",
            ),
            heads={
                "answer": HeadConfig(
                    ClassifierConfig(FUSED, classes=ANSWERS, hidden=(FUSED,)), ClassOutput("answer")
                )
            },
        ),
        objectives={"answer": ClassificationConfig()},
        tasks={"vqa": VQAConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=2000,
            batch_size=128,
            evaluate_every=400,
            checkpoint_every=1000,
            monitor="vqa/accuracy",
            precision="auto",
            workers=2,
        ),
    )
