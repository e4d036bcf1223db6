"""Linear projections of two columns, and a run with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.core import config as configs
from weft.core.config import Config
from weft.core.documents import write_checked
from weft.core.interfaces import Learner, ProjectionHead
from weft.data.learned import MODALITIES
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource
from weft.encoders.weights import architecture
from weft.fitting.correlation import RIDGES, Maps, correlated
from weft.fitting.folds import Rows, grouped_folds
from weft.fitting.models import Floats
from weft.fitting.pairs import Pairs
from weft.fitting.recall import partners_found
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.runs.parts import MODEL, RECIPE, starting_numbers, write_weights
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig

BATCH = 256


def linear_maps(pairs: Pairs, rows: Rows) -> Maps:
    """Canonical correlation analysis, with the ridge of highest recall on an inner fold."""
    first, second = (column.matrix for column in pairs.columns)
    clusters = pairs.table.clusters[rows]
    inner = grouped_folds(clusters, np.zeros(len(rows), dtype=np.int64), 4, pairs.seed)[0]
    train, held = rows[inner.train], rows[inner.held]
    scores = [
        partners_found(pairs, mapped(pairs, maps), held)[0].mean()
        for maps in correlated(first[train], second[train], RIDGES)
    ]
    return correlated(first[rows], second[rows], [RIDGES[int(np.argmax(scores))]])[0]


def mapped(pairs: Pairs, maps: Maps) -> tuple[Floats, Floats]:
    first, second = pairs.columns
    return maps.vectors(0, first.matrix), maps.vectors(1, second.matrix)


def _recipe(
    pairs: Pairs,
    projections: Mapping[str, Config[ProjectionHead]],
    source: DataSource,
) -> Recipe:
    streams = {column.name: column.modality_config for column in pairs.columns}
    first, second = pairs.names
    return Recipe(
        data=DataConfig(
            source,
            dict(streams),
            optional=tuple(streams),
            errors=ErrorPolicy("skip"),
        ),
        model=ModelConfig(
            {column.name: column.encoder_config for column in pairs.columns}, dict(projections)
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig(streams=(first, second))},
        tasks={"retrieval": RetrievalConfig(first=first, second=second)},
        run=RunConfig(
            steps=0, batch_size=BATCH, seed=pairs.seed, monitor="retrieval/rsum", precision="auto"
        ),
    )


def save_linear(
    pairs: Pairs, maps: Maps, folder: Path, source: DataSource, splits: Mapping[str, str]
) -> None:
    """Saves the linear maps as a run."""
    widths = [int(weight.shape[1]) for weight in maps.weights]
    projections = {
        column.name: ProjectionConfig(column.dim, width, bias=True)
        for column, width in zip(pairs.columns, widths, strict=True)
    }
    recipe = _recipe(pairs, projections, source)
    recipe = recipe.replace(data=recipe.data.replace(**splits))
    model = recipe.model.build()
    for which, column in enumerate(pairs.columns):
        model.encoders[column.name].load_state_dict(cast(nn.Module, column.encoder).state_dict())
        tensors = {
            "layers.0.weight": torch.from_numpy(maps.weights[which].T.astype(np.float32)),
            "layers.0.bias": torch.from_numpy(maps.biases[which].astype(np.float32)),
        }
        model.projections[column.name].load_state_dict(tensors)
    _save(pairs, recipe, model, folder)


def _save(pairs: Pairs, recipe: Recipe, model: Model, folder: Path) -> None:
    learned = {
        column.name: column.modality.state()
        for column in pairs.columns
        if isinstance(column.modality, Learner)
    }
    configs.save(recipe, folder / RECIPE)
    configs.save(architecture(recipe.model), folder / MODEL, checked=True)
    write_checked(folder / MODALITIES, learned)
    modalities = {column.name: column.modality for column in pairs.columns}
    write_weights(model, folder, starting_numbers(recipe, modalities))
