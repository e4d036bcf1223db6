"""Rows that have both columns of `weft fit --pair`, and their features."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from weft.core.errors import WeftError, unknown_name
from weft.core.media import Alternatives
from weft.core.samples import group_key
from weft.data.sources import DataSource
from weft.encoders.frozen import FrozenConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.fitting.choice import source_of
from weft.fitting.features import Column, compute, reduced
from weft.fitting.folds import Plan, make_plan
from weft.fitting.opening import Opened
from weft.fitting.settings import FitSettings
from weft.fitting.table import Table
from weft.modalities.ngrams import NgramsConfig
from weft.training import distributed

WIDE = 256
"""Principal directions of a wide column that are mapped."""


@dataclass(frozen=True)
class Pairs:
    """N rows that have both columns, one for each of several captions. matches: (N,) what is right for each other."""

    table: Table
    matches: torch.Tensor
    columns: tuple[Column, Column]
    plan: Plan
    source: DataSource
    seed: int

    @property
    def names(self) -> tuple[str, str]:
        return self.columns[0].name, self.columns[1].name


def read_pairs(opened: Opened, pair: tuple[str, str], settings: FitSettings) -> Pairs:
    kinds = []
    for name in pair:
        if name not in opened.schema.columns:
            raise unknown_name("column of --pair", name, opened.schema.columns)
        kinds.append(str(opened.schema.columns[name].kind))
        if kinds[-1] not in ("image", "text"):
            raise WeftError(f"--pair: '{name}' is of kind {kinds[-1]}, expected pictures or texts")
    table, matches = _one_by_one(opened.table, pair)
    plan = make_plan(
        table, np.zeros(len(table), dtype=np.int64), seed=settings.seed, folds=settings.folds
    )
    device = distributed.device("auto")
    columns = []
    for name, kind in zip(pair, kinds, strict=True):
        source = source_of(kind, settings)
        if isinstance(source.modality, NgramsConfig):
            source = replace(source, modality=source.modality.replace(together=False))
        column = compute(table, name, source, plan.development, device=device)
        frozen = isinstance(column.encoder_config, FrozenConfig | PretrainedConfig)
        columns.append(column if frozen else reduced(column, plan.development, settings.seed, WIDE))
    return Pairs(table, matches, (columns[0], columns[1]), plan, opened.source, settings.seed)


def _one_by_one(table: Table, pair: tuple[str, str]) -> tuple[Table, torch.Tensor]:
    """A row for each caption of the rows that have both columns. Raises WeftError where none has."""
    samples, places = [], []
    for row, sample in enumerate(table.samples):
        if all(sample.items.get(name) is not None for name in pair):
            values = {name: sample.items[name] for name in pair}
            several = next((n for n, v in values.items() if isinstance(v, Alternatives)), None)
            for value in values[several] if several else [None]:
                items = values if several is None else {**values, several: value}
                samples.append(replace(sample, items=items))
                places.append(row)
    if not samples:
        raise WeftError(f"no row has both '{pair[0]}' and '{pair[1]}'")
    used = table.take(places)
    matches = torch.tensor([group_key(sample.match_name) for sample in samples])
    return Table(samples, used.clusters, used.splits, table.bad), matches
