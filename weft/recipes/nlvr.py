"""NLVR: trained on 1,000 training sentences, after the recipe nlvr_pretraining."""

from weft.data.sources import FilesConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._data import folder
from weft.recipes._nlvr import TRUTH, model, streams
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.reasoning import ReasoningConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig


def nlvr() -> Recipe:
    """NLVR: true or false, fine-tuned in minutes; give --init the run of nlvr_pretraining."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "nlvr", format="nlvr"),
            streams=streams(shuffle=True),
            targets={"label": TRUTH},
        ),
        model=model(dropout=0.1),
        objectives={"truth": ClassificationConfig("label")},
        tasks={"reasoning": ReasoningConfig(average="example")},
        optim=OptimConfig(lr=2e-4, weight_decay=0.05, warmup=0.1, ema=0.99),
        run=RunConfig(
            steps=500,
            batch_size=64,
            evaluate_every=100,
            checkpoint_every=250,
            monitor="reasoning/accuracy",
            workers=1,
        ),
    )
