"""Pretraining for NLVR: generated pictures of boxes and sentences about them, half an hour on one core."""

from weft.data.targets.labels import LabelsConfig
from weft.objectives.classification import ClassificationConfig
from weft.objectives.detection import DetectionConfig
from weft.objectives.grounding import GroundingConfig
from weft.recipes._nlvr import COUNT, TRUTH, WIDTH, model, streams
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.reasoning import ReasoningConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.worlds.boxes import MOST, DrawnBoxesConfig


def nlvr_pretraining() -> Recipe:
    """Pretraining for the recipe nlvr: true or false for generated sentences about drawn boxes."""
    return Recipe(
        data=DataConfig(
            source=DrawnBoxesConfig(train=120_000),
            streams=streams(shuffle=False),
            targets={
                "label": TRUTH,
                "count": COUNT,
                "cells": LabelsConfig("cells"),
                "counts": LabelsConfig("counts"),
                "marks": LabelsConfig("meant"),
            },
        ),
        model=model(),
        objectives={
            "truth": ClassificationConfig("label"),
            "count": ClassificationConfig("count"),
            "grounding": GroundingConfig(WIDTH, MOST),
            "detection": DetectionConfig(share=0.25),
        },
        tasks={"reasoning": ReasoningConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.05, ema=0.999),
        run=RunConfig(
            steps=2200,
            batch_size=128,
            evaluate_every=500,
            checkpoint_every=200,
            monitor="reasoning/accuracy",
            precision="auto",
            workers=1,
        ),
    )
