"""easy-VQA: shape and colour in a picture. It judges pictures that other runs generate."""

from weft.architectures.model import ModelConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.modalities.image import ImageConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes.easy_vqa_flow import SIZE, described
from weft.runs.recipe import Recipe
from weft.tasks.classification import ClassificationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

WIDTHS, KINDS = (32, 64, 128, 128), 24


def easy_vqa_judge() -> Recipe:
    """Classifies shape and colour in easy-VQA pictures with a small CNN trained on real pictures only.

    They have the size of the generated pictures: a judge of larger ones errs on these.
    """
    data = described()
    return Recipe(
        data=data.replace(
            streams={"image": ImageConfig(size=SIZE, crop_scale=(0.8, 1.0), flip=0.5)},
            targets={"kind": ClassesConfig("kind")},
        ),
        model=ModelConfig(
            encoders={"image": ConvNetConfig(widths=WIDTHS, halvings=4, pooling="max")},
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
            steps=1600,
            batch_size=64,
            evaluate_every=400,
            checkpoint_every=1600,
            monitor="classification/accuracy",
            precision="auto",
            workers=1,
        ),
    )
