"""A run with a model of random weights and every kind of head."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from every_task import WIDTH, dataset, member, model_config

from weft.data.learned import Learned
from weft.data.targets.soft_answers import SoftAnswersConfig
from weft.decoders.classifier import ClassifierConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.modalities.image import ImageConfig, mirrored
from weft.runs.recipe import Recipe
from weft.runs.run import Run

CPU = torch.device("cpu")


def heads(views: int) -> dict[str, HeadConfig]:
    made = {
        # Two of ten outputs are classes that were learned.
        "label": HeadConfig(ClassifierConfig(WIDTH, 10), ClassOutput("label")),
        "votes": HeadConfig(ClassifierConfig(WIDTH, 3), ClassOutput("votes", exclusive=False)),
        "rent": HeadConfig(ClassifierConfig(WIDTH, 1), NumberOutput(unit="euros", digits=4)),
        "caption": model_config().heads["caption"],
    }
    return {name: head.replace(views=views) for name, head in made.items()}


def run_of(seed: int = 0, views: int = 1, **changes: Any) -> Run:
    """A run with a model of random weights, under which the outputs that are no class are largest."""
    known = member(dataset(), seed)
    torch.manual_seed(seed)
    model = model_config().replace(**{"heads": heads(views), **changes}).build().eval()
    if "label" in model.heads:
        with torch.no_grad():
            model.heads["label"].decoder.out.bias[2:] += 9
    votes = SoftAnswersConfig("votes").build()
    votes.fit([["red", "red", "blue"], ["green"]])
    views_of_picture = mirrored() if views > 1 else ImageConfig().eval_views
    image = ImageConfig(size=8, eval_views=views_of_picture).build()
    return Run(
        Path("run"),
        cast(Recipe, SimpleNamespace(tasks={})),  # little else is read of it
        model,
        Learned({**known.modalities, "image": image}, {**known.targets, "votes": votes}),
        CPU,
    )
