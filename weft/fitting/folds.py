"""Which rows a candidate is trained on and which it is measured on; a cluster is never split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import WeftError
from weft.data.prepare.split import TEST, TRAIN, VALIDATION, SplitConfig, hashed_split
from weft.fitting.settings import FOLDS
from weft.fitting.table import Ints, Table

FEW_ROWS, FEW_GROUPS, MANY_ROWS = 2000, 400, 20000
"""With fewer rows, or fewer groups of at most MANY_ROWS rows, candidates are compared by k-fold, if the data
have no validation split of their own."""
LEAST_GROUPS = 40
"""A validation split of fewer groups tells little apart: its rows are trained on and compared by k-fold, too."""
LEFT_OUT = "left out"
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """Rows to train on, and rows to measure."""

    train: Rows
    held: Rows


@dataclass(frozen=True)
class Plan:
    """folds: how candidates are compared. test: rows that measure the chosen one; None where there are none.

    said: how it is judged, in a sentence. splits: of each row, of the run that is kept.
    """

    folds: tuple[Fold, ...]
    test: Rows | None
    said: str
    splits: tuple[str, ...]

    @property
    def held(self) -> Rows:
        """The rows that are measured to compare, each once."""
        return np.concatenate([fold.held for fold in self.folds])

    @property
    def development(self) -> Rows:
        """All rows but those of the test."""
        every = [rows for fold in self.folds for rows in (fold.train, fold.held)]
        return np.unique(np.concatenate(every))

    @property
    def final(self) -> Rows:
        """The rows that the chosen candidate is trained on at the end."""
        return self.folds[0].train if len(self.folds) == 1 else self.development


def make_plan(table: Table, strata: Ints, *, seed: int = 0, folds: int = FOLDS) -> Plan:
    """The data's own test and validation rows where it has them; else by cluster.

    strata: (N,) a number of each row whose share is kept equal in all folds: its class. Few rows are
    divided into folds, each of which is measured once by a model of the others; of many a tenth each is
    for validation and for the test. Raises WeftError where there are too few clusters.
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
    """The test rows, and the rows that are left out."""
    said = "" if test is None else f"; test split of the data: {len(test):,} rows"
    left = splits.count(LEFT_OUT)
    return (
        f"{said}; left out: {left:,} rows that share a group or a picture with a stricter split"
        if left
        else said
    )


def _splits(table: Table) -> list[str]:
    """The split of each row; rows without one are for training.

    A row is left out where a stricter split has its group or its picture: test before validation before
    training.
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
    """Folds of whole clusters with about as many rows of each stratum.

    The largest clusters are placed first, each where the shares of the strata stay most equal (the greedy
    rule of scikit-learn's StratifiedGroupKFold); of equal ones in a random order from the seed. Raises
    WeftError where there are fewer than 2 clusters.
    """
    names, places = np.unique(clusters, return_inverse=True)
    folds = min(folds, len(names))
    if folds < 2:
        raise WeftError(
            "all rows belong to one group, so no row can be measured by a model of others"
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
        # Of each choice: how uneven the fold's shares of the strata, and its rows, would become.
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
