"""Rows that have both columns of `weft fit --pair`, and their features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from weft.core.errors import WeftError, unknown_name
from weft.core.media import Alternatives
from weft.core.samples import group_key
from weft.data.column_kinds import MEDIA
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
"""Number of principal directions of a wide column that are mapped."""


@dataclass(frozen=True)
class Pairs:
    """N rows that have both columns, one for each caption. matches: (N,) rows with equal numbers match each other."""

    table: Table
    matches: torch.Tensor
    columns: tuple[Column, Column]
    plan: Plan
    source: DataSource
    seed: int

    @property
    def names(self) -> tuple[str, str]:
        return self.columns[0].name, self.columns[1].name


def kinds_of(opened: Opened, pair: tuple[str, str]) -> dict[str, str]:
    """Column -> its kind. Raises WeftError if the columns do not exist or cannot be searched."""
    if pair[0] == pair[1]:
        raise WeftError(f"--pair is '{pair[0]}' twice, expected two different columns")
    kinds = {}
    for name in pair:
        if name not in opened.schema.columns:
            raise unknown_name("column of --pair", name, opened.schema.columns)
        kind = kinds[name] = str(opened.schema.columns[name].kind)
        if kind not in (*MEDIA, "text"):
            raise WeftError(
                f"--pair: '{name}' is of kind {kind}, expected {', '.join(MEDIA)} or text; if it is one of these, say so: "
                f"--columns text={name}"
            )
    return kinds


def with_both(table: Table, pair: tuple[str, str]) -> Table:
    """The rows that have both columns. Raises WeftError if there are none."""
    there = [
        row
        for row, sample in enumerate(table.samples)
        if all(sample.items.get(name) is not None for name in pair)
    ]
    if not there:
        raise WeftError(f"no row has both '{pair[0]}' and '{pair[1]}'")
    return table if len(there) == len(table) else table.take(there)


def read_pairs(
    table: Table, kinds: dict[str, str], source: DataSource, settings: FitSettings
) -> Pairs:
    """Computes the features of both columns, for the rows that have both. kinds: column -> its kind. source: of all
    rows."""
    table, matches = _one_by_one(table, tuple(kinds))
    plan = make_plan(
        table, np.zeros(len(table), dtype=np.int64), seed=settings.seed, folds=settings.folds
    )
    device = distributed.device("auto")
    columns = []
    for name, kind in kinds.items():
        read = source_of(kind, settings)
        if isinstance(read.modality, NgramsConfig):
            read = replace(read, modality=read.modality.replace(together=False))
        column = compute(table, name, read, plan.development, device=device)
        frozen = isinstance(column.encoder_config, FrozenConfig | PretrainedConfig)
        columns.append(column if frozen else reduced(column, plan.development, settings.seed, WIDE))
    return Pairs(table, matches, (columns[0], columns[1]), plan, source, settings.seed)


def _one_by_one(table: Table, pair: Sequence[str]) -> tuple[Table, torch.Tensor]:
    """Turns several captions of a row into one row for each caption."""
    samples, places = [], []
    for row, sample in enumerate(table.samples):
        values = {name: sample.items[name] for name in pair}
        several = next((n for n, v in values.items() if isinstance(v, Alternatives)), None)
        for value in values[several] if several else [None]:
            items = values if several is None else {**values, several: value}
            samples.append(replace(sample, items=items))
            places.append(row)
    used = table.take(places)
    matches = torch.tensor([group_key(sample.match_name) for sample in samples])
    return Table(samples, used.clusters, used.splits, table.bad), matches
