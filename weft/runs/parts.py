"""The built parts of a recipe that training and inference share."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch

from weft.architectures.model import Model
from weft.core.config import read_mapping
from weft.core.errors import DataError, WeftError
from weft.core.files import write_text
from weft.core.interfaces import CacheableEncoder, Modality
from weft.data.features import cache_features
from weft.data.formats import Dataset
from weft.data.loader import ModalitySource
from weft.data.sources import DataSource
from weft.encoders.weights import architecture
from weft.runs.recipe import Recipe
from weft.tasks.base import ViewedSource

RECIPE, MODEL, MODALITIES, WEIGHTS = (
    "recipe.json",
    "model.json",
    "modalities.json",
    "model.safetensors",
)
"""Files of a run directory."""

ALL = "all"
"""In the place of a split's name: every row."""


def open_split(recipe: Recipe, split: str | None) -> Dataset:
    """The rows of one split of the recipe's data; None or "all" is every row.

    Raises WeftError where there are none.
    """
    source = recipe.data.source
    if not isinstance(source, DataSource):
        raise WeftError(f"data.source is a {type(source).__name__}, which cannot be opened")
    dataset = source.open(None if split == ALL else split)
    if len(dataset) == 0:
        raise WeftError(f"the data has no rows{f' of split {split!r}' if split else ''}")
    return dataset


def build_modalities(recipe: Recipe) -> dict[str, Modality]:
    """stream -> modality, as configured; nothing is learned yet."""
    return {name: config.build() for name, config in recipe.data.streams.items()}  # type: ignore[attr-defined]


def fit_modalities(modalities: Mapping[str, Modality], dataset: Dataset) -> None:
    """Lets every modality learn from the training rows; unreadable rows teach nothing."""
    for stream, modality in modalities.items():
        modality.fit(_raws(dataset, stream))


def _raws(dataset: Dataset, stream: str) -> Iterator[Any]:
    for index in range(len(dataset)):
        try:
            raw = dataset[index].items.get(stream)
        except DataError:
            continue
        if raw is not None:
            yield raw


def save_modalities(modalities: Mapping[str, Modality], folder: Path) -> None:
    state = {name: modality.state() for name, modality in modalities.items()}
    write_text(folder / MODALITIES, json.dumps(state, ensure_ascii=False) + "\n")


def restore_modalities(modalities: Mapping[str, Modality], folder: Path) -> None:
    """Puts back what was learned. Raises WeftError where the file does not fit."""
    state = read_mapping(folder / MODALITIES) if modalities else {}
    for name, modality in modalities.items():
        if name not in state:
            raise WeftError(f"{folder / MODALITIES}: has no state of stream '{name}'")
        try:
            modality.restore(state[name])
        except WeftError as error:
            raise WeftError(f"{folder / MODALITIES}: stream '{name}': {error}") from None


def build_sources(
    recipe: Recipe,
    dataset: Dataset,
    model: Model,
    modalities: Mapping[str, Modality],
    *,
    train: bool,
    device: torch.device | str,
) -> dict[str, ViewedSource]:
    """stream -> source: from the feature cache where the recipe says so, else from the raw rows."""
    sources: dict[str, ViewedSource] = {}
    for stream, modality in modalities.items():
        raw = ModalitySource(dataset, stream, modality)
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
                architecture(recipe.model.encoders[stream]),
                recipe.data.streams[stream],
                modality.state(),
            ),
            train=train,
            device=device,
        )
    return sources
