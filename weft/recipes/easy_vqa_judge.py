"""easy-VQA: which shape of which colour a picture shows; it judges pictures that others draw."""

from weft.architectures.model import ModelConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes.easy_vqa_flow import described
from weft.runs.recipe import Recipe
from weft.tasks.classification import ClassificationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

WIDTHS, KINDS = (48, 96, 128), 24


def easy_vqa_judge() -> Recipe:
    """The shape and colour of easy-VQA's pictures, by a small CNN that is trained on real pictures only."""
    data = described()
    return Recipe(
        data=data.replace(
            streams={"image": data.streams["image"]}, targets={"kind": ClassesConfig("kind")}
        ),
        model=ModelConfig(
            encoders={"image": ConvNetConfig(widths=WIDTHS, halvings=3, pooling="max")},
            heads={
                "kind": HeadConfig(
                    ClassifierConfig(WIDTHS[-1], KINDS, hidden=(128,)), ClassOutput("kind"), "image"
                )
            },
        ),
        objectives={"kind": ClassificationConfig("kind")},
        tasks={"classification": ClassificationTaskConfig("kind")},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=1500,
            batch_size=64,
            evaluate_every=500,
            checkpoint_every=1500,
            monitor="classification/accuracy",
            precision="auto",
            workers=1,
        ),
    )
