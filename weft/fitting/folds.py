"""Assigns rows to training and measuring of candidates. A cluster is never split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import WeftError
from weft.data.prepare.split import TEST, TRAIN, VALIDATION, SplitConfig, hashed_split
from weft.fitting.settings import FOLDS
from weft.fitting.table import Ints, Table

FEW_ROWS, FEW_GROUPS, MANY_ROWS = 2000, 400, 20000
"""Candidates are compared by cross-validation if the data have no validation split and either fewer than FEW_ROWS rows,
or fewer than FEW_GROUPS groups and fewer than MANY_ROWS rows."""
LEAST_GROUPS = 40
"""A validation split with fewer groups is too small to compare candidates. Its rows join the cross-validation."""
LEFT_OUT = "left out"
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """train: rows to train on. held: rows to measure."""

    train: Rows
    held: Rows


@dataclass(frozen=True)
class Plan:
    """folds: for comparing candidates. test: rows for measuring the chosen candidate; None if there are none.

    said: a sentence about the comparison. splits: split of each row, for the run that is kept.
    """

    folds: tuple[Fold, ...]
    test: Rows | None
    said: str
    splits: tuple[str, ...]

    @property
    def held(self) -> Rows:
        """The comparison rows: each is measured once."""
        return np.concatenate([fold.held for fold in self.folds])

    @property
    def development(self) -> Rows:
        """All rows except the test rows."""
        every = [rows for fold in self.folds for rows in (fold.train, fold.held)]
        return np.unique(np.concatenate(every))

    @property
    def final(self) -> Rows:
        """The rows on which the chosen candidate is trained at the end."""
        return self.folds[0].train if len(self.folds) == 1 else self.development


def make_plan(table: Table, strata: Ints, *, seed: int = 0, folds: int = FOLDS) -> Plan:
    """Uses the test and validation rows of the data if there are any. Otherwise it splits the rows by cluster.

    Few rows are divided into folds for cross-validation. Of many rows, one tenth is for validation and one tenth for
    the test. strata: (N,) a number for each row, such as its class; all folds have the same share of each. Raises
    WeftError if there are too few clusters.
    """
    splits = _splits(table)
    has = set(splits)
    rows = np.arange(len(table))
    test = rows[[split == TEST for split in splits]] if TEST in has else None
    development = rows[[split in (TRAIN, VALIDATION) for split in splits]]
    if not len(development):
        raise WeftError("all rows are of the test split, expected rows to train on")
    groups = len(np.unique(table.clusters[development]))
    chosen_by = table.clusters[[split == VALIDATION for split in splits]]
    enough = len(np.unique(chosen_by)) >= LEAST_GROUPS or len(development) > MANY_ROWS
    if VALIDATION in has and TRAIN in has and enough:
        train, held = (rows[[split == s for split in splits]] for s in (TRAIN, VALIDATION))
        said = f"validation split of the data: {len(held):,} rows, trained on {len(train):,}"
        return Plan((Fold(train, held),), test, said + _also(test, splits), tuple(splits))
    if len(development) < (MANY_ROWS if groups < FEW_GROUPS else FEW_ROWS):
        found = grouped_folds(table.clusters[development], strata[development], folds, seed)
        parts = tuple(Fold(development[f.train], development[f.held]) for f in found)
        said = f"{len(parts)}-fold cross-validation over {len(development):,} rows in {groups:,} groups"
        kept = [split if split in (TEST, LEFT_OUT) else TRAIN for split in splits]
        return Plan(parts, test, said + _also(test, splits), tuple(kept))
    return _held_out(table, splits, test, seed)


def _also(test: Rows | None, splits: Sequence[str]) -> str:
    """The rest of the sentence: the test rows, and the rows that are left out."""
    said = "" if test is None else f"; test split of the data: {len(test):,} rows"
    left = splits.count(LEFT_OUT)
    return (
        f"{said}; left out: {left:,} rows that share a group or a picture with a stricter split"
        if left
        else said
    )


def _splits(table: Table) -> list[str]:
    """The split of each row. Rows without a split are for training.

    A row is left out if a stricter split has its group or its picture. The test is stricter than validation, and
    validation stricter than training.
    """
    order = {TEST: 0, VALIDATION: 1}
    own = [split if split in order else TRAIN for split in table.splits]
    strictest: dict[int, int] = {}
    for cluster, split in zip(table.clusters.tolist(), own, strict=True):
        strictest[cluster] = min(order.get(split, 2), strictest.get(cluster, 2))
    return [
        split if order.get(split, 2) == strictest[cluster] else LEFT_OUT
        for cluster, split in zip(table.clusters.tolist(), own, strict=True)
    ]


def _held_out(table: Table, splits: Sequence[str], test: Rows | None, seed: int) -> Plan:
    config = SplitConfig(seed=seed, test=0.0 if test is not None else 0.1)
    name: dict[int, str] = {}
    for cluster, sample in zip(table.clusters.tolist(), table.samples, strict=True):
        name[cluster] = min(name.get(cluster, sample.group), sample.group)
    by_cluster = {cluster: hashed_split(key, config) for cluster, key in name.items()}
    assigned = [
        split if split in (TEST, LEFT_OUT) else by_cluster[cluster]
        for cluster, split in zip(table.clusters.tolist(), splits, strict=True)
    ]
    rows = np.arange(len(table))
    parts = {s: rows[[one == s for one in assigned]] for s in (TRAIN, VALIDATION, TEST)}
    if not all(len(part) for part in parts.values()):
        raise WeftError(
            f"{len(name):,} groups cannot be divided into training, validation and test rows, expected more"
        )
    said = (
        f"validation: {len(parts[VALIDATION]):,} rows of other groups, trained on {len(parts[TRAIN]):,}; "
        f"test: {len(parts[TEST]):,} rows"
    ) + _also(None, splits)
    return Plan((Fold(parts[TRAIN], parts[VALIDATION]),), parts[TEST], said, tuple(assigned))


def grouped_folds(clusters: Ints, strata: Ints, folds: int, seed: int) -> list[Fold]:
    """Divides the rows into folds of whole clusters, with about the same number of rows of each stratum in all folds.

    The largest clusters are placed first, clusters of equal size in a random order. Each goes where the shares of the
    strata stay most equal (the greedy rule of scikit-learn's StratifiedGroupKFold). Raises WeftError if there are
    fewer than 2 clusters.
    """
    names, places = np.unique(clusters, return_inverse=True)
    folds = min(folds, len(names))
    if folds < 2:
        raise WeftError(
            "all rows belong to one group, so no model can be measured on groups that it was not trained on"
        )
    _, strata = np.unique(strata, return_inverse=True)
    counts = np.zeros((len(names), strata.max() + 1))
    np.add.at(counts, (places, strata), 1)
    drawn = np.random.default_rng(seed).permutation(len(names))
    order = drawn[np.argsort(-counts[drawn].sum(1), kind="stable")]
    share = 1 / counts.sum(0)
    held = np.zeros((folds, counts.shape[1]))
    fold_of = np.zeros(len(names), dtype=np.intp)
    for cluster in order:
        # For each choice of a fold: how uneven the shares of the strata, and the sizes, would become.
        trial = held[None] + np.eye(folds)[:, :, None] * counts[cluster]
        uneven = ((trial * share).std(axis=1) ** 2).sum(axis=1)
        sizes = trial.sum(axis=2)
        chosen = int(np.lexsort((sizes.max(axis=1), uneven.round(12)))[0])
        held[chosen] += counts[cluster]
        fold_of[cluster] = chosen
    of_row = fold_of[places]
    found = [
        Fold(np.flatnonzero(of_row != number), np.flatnonzero(of_row == number))
        for number in range(folds)
    ]
    return [fold for fold in found if len(fold.held) and len(fold.train)]
