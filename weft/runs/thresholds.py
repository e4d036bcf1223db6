"""Chooses the probability thresholds of a run's tags on its validation split."""

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
    """Returns target -> the threshold with the highest micro F1, for tag heads whose output sets none.

    The model is in its final state. A recipe without tasks needs no validation rows, so no threshold is chosen.
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
    """Writes the thresholds into the run directory, if there are any."""
    if chosen:
        write_checked(folder / THRESHOLDS, chosen)
