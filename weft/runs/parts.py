"""Builds the parts of a recipe that training and inference share."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import nn

from weft.architectures.model import Model
from weft.core import config as configs
from weft.core.building import build
from weft.core.documents import checksum, read_mapping
from weft.core.errors import WeftError
from weft.core.interfaces import (
    CacheableEncoder,
    Learner,
    Modality,
    NeedsModalities,
    ReadsColumns,
    Target,
)
from weft.core.tensors import LEARNED, NUMBERS, read_state, write_tensors
from weft.data.columns import ModalitySource, Source, TargetSource
from weft.data.features import cache_features
from weft.data.formats import Chained, Dataset, split_name
from weft.data.incomplete import Incomplete
from weft.data.learned import MODALITIES
from weft.encoders.extended import cached_part
from weft.encoders.weights import architecture
from weft.inference.member import ViewedSource
from weft.runs.recipe import Recipe
from weft.training.step import numbers_of

RECIPE, MODEL, WEIGHTS = "recipe.json", "model.json", "model.safetensors"
"""Files of a run directory, beside MODALITIES."""

ALL = "all"
"""Takes the place of a split's name: every row."""


def load_recipe(folder: Path) -> Recipe:
    """Loads the recipe of the run in `folder`.

    Raises WeftError if it is invalid, or from a version in which models had no heads.
    """
    path = folder / RECIPE
    model = read_mapping(path).get("model")
    if isinstance(model, dict) and "decoders" in model:
        raise WeftError(
            f"{path}: was written before models had heads; train the run again, or open it with the "
            "version of weft that wrote it"
        )
    return configs.load(path, Recipe)


def open_split(recipe: Recipe, split: str | None) -> Dataset:
    """Opens the rows of one split of the recipe's data, or of several joined by a plus; None or "all" is every row.

    Raises WeftError if there are none.
    """
    if split is not None and "+" in split:
        names = dict.fromkeys(split_name(name) for name in split.split("+"))
        if not all(names):
            raise WeftError(
                f"split is '{split}', expected the name of a split on both sides of each plus"
            )
        if ALL in names:
            return open_split(recipe, ALL)  # which includes the rows of the others
        return Chained([open_split(recipe, name) for name in names])
    dataset = recipe.data.source.open(None if split == ALL else split, recipe.data.errors)
    if len(dataset) == 0:
        raise WeftError(f"the data has no rows{f' of split {split!r}' if split else ''}")
    data = recipe.data
    if not data.missing or split != data.train:
        return dataset
    configs_of = {stream: data.streams[stream] for stream in data.optional}
    columns = {
        s: one.columns if isinstance(one, ReadsColumns) else (s,) for s, one in configs_of.items()
    }
    return Incomplete(dataset, columns, data.missing, recipe.run.seed)


def learned_mark(folder: Path) -> str:
    """Returns a checksum of the learned state of the run's modalities and targets. Its weights hold the same
    checksum."""
    return checksum(read_mapping(folder / MODALITIES))


def check_learned(folder: Path) -> None:
    """Raises WeftError if the weights were trained with other tokenizers or classes than those kept beside them.

    Older weights without a checksum are accepted.
    """
    mark = read_state(folder / WEIGHTS).get(LEARNED)
    if mark is not None and mark != learned_mark(folder):
        raise WeftError(
            f"{folder / MODALITIES}: is of another run: the weights in {WEIGHTS} were trained with other "
            "tokenizers or classes"
        )


def build_objectives(recipe: Recipe, modalities: Mapping[str, Modality]) -> dict[str, nn.Module]:
    """Builds the recipe's objectives and prepares each with the modalities."""
    objectives = {name: build(config) for name, config in recipe.objectives.items()}
    for objective in objectives.values():
        if isinstance(objective, NeedsModalities):
            objective.prepare(modalities)
    return objectives


def starting_numbers(recipe: Recipe, modalities: Mapping[str, Modality]) -> dict[str, float]:
    """Returns the objectives' learned numbers before the first step; see `weft.core.tensors.NUMBERS`."""
    return numbers_of(nn.ModuleDict(build_objectives(recipe, modalities)).state_dict())


def write_weights(model: Model, folder: Path, numbers: Mapping[str, float]) -> None:
    """Writes the weights of a run that had no training steps. numbers: see `weft.core.tensors.NUMBERS`."""
    marks = {LEARNED: learned_mark(folder), NUMBERS: dict(numbers)}
    write_tensors(folder / WEIGHTS, dict(model.state_dict()), marks)


def target_sources(dataset: Dataset, targets: Mapping[str, Target]) -> dict[str, Source]:
    """name -> source of the target's column."""
    return {name: TargetSource(dataset, target) for name, target in targets.items()}


def build_sources(
    recipe: Recipe,
    dataset: Dataset,
    model: Model,
    modalities: Mapping[str, Modality],
    *,
    train: bool,
    device: torch.device | str,
) -> dict[str, ViewedSource]:
    """Returns stream -> source: from the feature cache if the recipe says so, else from the raw rows."""
    sources: dict[str, ViewedSource] = {}
    for stream, modality in modalities.items():
        optional = stream in recipe.data.optional
        raw = ModalitySource(dataset, stream, modality, optional=optional)
        if stream not in recipe.data.cache:
            sources[stream] = raw
            continue
        encoder = model.encoders[stream]
        if not isinstance(encoder, CacheableEncoder):
            raise WeftError(
                f"data.cache names stream '{stream}', but its encoder "
                f"{type(encoder).__name__} has no frozen part to cache"
            )
        sources[stream] = cache_features(
            raw,
            cast(CacheableEncoder, encoder),
            recipe.data.cache[stream],
            described_by=(
                architecture(cached_part(recipe.model.encoders[stream])),
                recipe.data.streams[stream],
                modality.state() if isinstance(modality, Learner) else {},
            ),
            train=train,
            device=device,
        )
    return sources
