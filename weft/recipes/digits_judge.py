"""Which digit a picture shows. It judges digits that other runs generate."""

from weft.architectures.model import ModelConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes.digits_autoencoder import digits
from weft.runs.recipe import Recipe
from weft.tasks.classification import ClassificationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

WIDTHS, DIGITS = (32, 64, 128), 10


def digits_judge() -> Recipe:
    """Classifies drawn digits with a small CNN that is trained on real drawings only."""
    data = digits()
    return Recipe(
        data=data.replace(
            streams={"image": data.streams["image"]}, targets={"digit": ClassesConfig("digit")}
        ),
        model=ModelConfig(
            encoders={"image": ConvNetConfig(WIDTHS, 3, pooling="max")},
            heads={
                "digit": HeadConfig(
                    ClassifierConfig(WIDTHS[-1], DIGITS, hidden=(128,)),
                    ClassOutput("digit"),
                    "image",
                )
            },
        ),
        objectives={"digit": ClassificationConfig("digit")},
        tasks={"classification": ClassificationTaskConfig("digit")},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=800,
            batch_size=64,
            evaluate_every=400,
            checkpoint_every=800,
            monitor="classification/accuracy",
            precision="auto",
            workers=1,
        ),
    )
