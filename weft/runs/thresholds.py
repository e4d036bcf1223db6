"""The thresholds of tags of a run, chosen on its validation split."""

from pathlib import Path

import torch

from weft.architectures.model import Model
from weft.core.documents import write_checked
from weft.data.learned import THRESHOLDS, Learned
from weft.heads.tags import TagOutput, TagValues, best_threshold
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.predict import predict
from weft.runs.parts import build_sources, open_split
from weft.runs.recipe import Recipe


def thresholds(
    recipe: Recipe, model: Model, learned: Learned, device: torch.device
) -> dict[str, float]:
    """Target of tags -> the threshold with the highest micro F1, of heads whose output names none.

    The model is as it will be used. Without tasks a recipe needs no validation rows, so none is chosen.
    """
    outputs = {name: head.output for name, head in recipe.model.heads.items()}
    wanted = {
        name: output.target
        for name, output in outputs.items()
        if isinstance(output, TagOutput) and output.threshold is None and output.target
    }
    if not wanted or not recipe.tasks:
        return {}
    dataset = open_split(recipe, recipe.data.validation)
    sources = build_sources(recipe, dataset, model, learned.modalities, train=False, device=device)
    member, how = Member(model, sources, learned), InferenceConfig(errors=recipe.data.errors)
    chosen = {}
    for head, target in wanted.items():
        found = predict([member], dataset, head, how, targets=[target], device=device)
        assert isinstance(found.values, TagValues)
        chosen[target] = best_threshold(found.values.probabilities, found.targets[target] > 0.5)
    return chosen


def write_thresholds(chosen: dict[str, float], folder: Path) -> None:
    """Into the run directory, where there are any."""
    if chosen:
        write_checked(folder / THRESHOLDS, chosen)
