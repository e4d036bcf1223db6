"""The built parts of a recipe that training and inference share."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch

from weft.architectures.model import Model
from weft.core import config as configs
from weft.core.documents import checksum, read_mapping, write_checked
from weft.core.errors import WeftError
from weft.core.interfaces import CacheableEncoder, Learner, Modality, Target
from weft.core.media import small_value
from weft.core.tensors import LEARNED, read_state
from weft.data.columns import ModalitySource, Source, TargetSource
from weft.data.features import cache_features
from weft.data.formats import Dataset
from weft.encoders.extended import cached_part
from weft.encoders.weights import architecture
from weft.inference.member import ViewedSource
from weft.runs.recipe import Recipe

RECIPE, MODEL, MODALITIES, WEIGHTS = (
    "recipe.json",
    "model.json",
    "modalities.json",
    "model.safetensors",
)
"""Files of a run directory."""

ALL = "all"
"""In the place of a split's name: every row."""


def load_recipe(folder: Path) -> Recipe:
    """The recipe of the run in `folder`.

    Raises WeftError where it does not fit, and for a run of before models had heads.
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
    """The rows of one split of the recipe's data; None or "all" is every row.

    Raises WeftError where there are none.
    """
    dataset = recipe.data.source.open(None if split == ALL else split, recipe.data.errors)
    if len(dataset) == 0:
        raise WeftError(f"the data has no rows{f' of split {split!r}' if split else ''}")
    return dataset


def build_modalities(recipe: Recipe) -> dict[str, Modality]:
    """stream -> modality, as configured; nothing is learned yet."""
    return {name: config.build() for name, config in recipe.data.streams.items()}


def build_targets(recipe: Recipe) -> dict[str, Target]:
    """name -> target, as configured; nothing is learned yet."""
    return {name: config.build() for name, config in recipe.data.targets.items()}


def learners(*parts: Mapping[str, Modality] | Mapping[str, Target]) -> dict[str, Learner]:
    """Those of the modalities and targets that learn from the training rows."""
    return {
        name: part for some in parts for name, part in some.items() if isinstance(part, Learner)
    }


def fit(learners: Mapping[str, Learner], dataset: Dataset) -> None:
    """Lets modalities and targets learn from the training rows; unreadable rows teach nothing."""
    for name, learner in learners.items():
        column = learner.column if isinstance(learner, Target) else name
        learner.fit(_raws(dataset, column))


def _raws(dataset: Dataset, column: str) -> Iterator[Any]:
    for index in range(len(dataset)):
        try:
            raw = small_value(dataset[index].items.get(column))
        except WeftError:
            continue
        if raw is not None:
            yield raw


def save_learned(learners: Mapping[str, Learner], folder: Path) -> None:
    state = {name: learner.state() for name, learner in learners.items()}
    write_checked(folder / MODALITIES, state)


def restore_learned(learners: Mapping[str, Learner], folder: Path) -> None:
    """Puts back what was learned. Raises WeftError where the file does not fit."""
    state = read_mapping(folder / MODALITIES) if learners else {}
    for name, learner in learners.items():
        kind = "target" if isinstance(learner, Target) else "stream"
        if name not in state:
            raise WeftError(f"{folder / MODALITIES}: has no state of {kind} '{name}'")
        try:
            learner.restore(state[name])
        except (WeftError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            reason = error if isinstance(error, WeftError | ValueError) else "is of another kind"
            raise WeftError(f"{folder / MODALITIES}: {kind} '{name}': {reason}") from None


def learned_mark(folder: Path) -> str:
    """A checksum of what the run's modalities and targets have learned; its weights carry it too."""
    return checksum(read_mapping(folder / MODALITIES))


def check_learned(folder: Path) -> None:
    """Raises WeftError where the weights were trained with other tokenizers or classes than are kept beside them.

    Weights that carry no mark, from before there was one, are taken.
    """
    mark = read_state(folder / WEIGHTS).get(LEARNED)
    if mark is not None and mark != learned_mark(folder):
        raise WeftError(
            f"{folder / MODALITIES}: is of another run: the weights in {WEIGHTS} were trained with other "
            "tokenizers or classes"
        )


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
    """stream -> source: from the feature cache where the recipe says so, else from the raw rows."""
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
