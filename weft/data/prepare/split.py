"""Splits keep related rows together. Training and `weft data prepare` use the same rule."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.core.config import Settings
from weft.core.ranges import SHARE, at_least, require
from weft.core.text import utf8

TRAIN, VALIDATION, TEST = "train", "validation", "test"
RANK = {TEST: 0, VALIDATION: 1, TRAIN: 3}
"""Priority of splits that claim the same picture. Splits with other names come after validation."""

FAR = 0.1
"""A share of the rows that differs by more from the share asked for is named."""
NAMED_GROUPS = 3
"""Number of groups, the largest ones, that a warning names."""


@dataclass(frozen=True)
class SplitConfig(Settings):
    """How rows without a split get one. Rows with a split keep it, unless `redo` is set. If no row is for validation,
    a share of the training groups becomes validation."""

    validation: float = 0.1
    """Share of the groups in the validation split."""
    test: float = 0.1
    """Share of the groups in the test split."""
    seed: int = 0
    """Random seed of the split. Another seed gives another split."""
    redo: bool = False
    """If true, ignore the splits that the data has and make new ones."""
    drop_leaks: bool = False
    """If true, leave a row out if a more important split has the same group or nearly the same picture. The order is
    test, validation, training."""

    def __post_init__(self) -> None:
        require(self, validation=SHARE, test=SHARE, seed=at_least(0))
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation is {self.validation} and test {self.test}, "
                "expected shares with a sum below 1"
            )


def rank(split: str | None) -> int:
    """Returns the priority of a split's claim to a picture; smaller is stronger: test, validation, others, train,
    none."""
    return 4 if split is None else RANK.get(split, 2)


def hashed_split(key: str, config: SplitConfig) -> str:
    """Returns the split of the group `key`. It is the same in every run and does not depend on other groups."""
    share = _share(key, config)
    if share < config.test:
        return TEST
    return VALIDATION if share < config.test + config.validation else TRAIN


def _share(key: str, config: SplitConfig) -> float:
    """Returns the hash of a group as a number from 0 to 1."""
    digest = hashlib.blake2b(utf8(f"{config.seed}:{key}"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def assign_splits(
    groups: Sequence[str],
    splits: Sequence[str | None],
    clusters: NDArray[np.intp],
    config: SplitConfig,
) -> list[str]:
    """Assigns a split to each row.

    clusters: (rows,) label of rows connected by group or by similarity.
    - A row without a split follows the split with the highest priority in its cluster.
    - A cluster without any split is assigned as a whole, by the hash of its smallest group. It never goes to a test
      or validation split that the data already mark.
    - A split that the data do not mark gets at least one cluster, if there are three.
    - If then no row is for validation, that share of the training clusters becomes validation.
    """
    known = [None if config.redo else split for split in splits]
    smallest: dict[int, str] = {}
    strongest: dict[int, str] = {}
    for label, group, split in zip(clusters.tolist(), groups, known, strict=True):
        smallest[label] = min(smallest.get(label, group), group)
        if split is not None and rank(split) < rank(strongest.get(label)):
            strongest[label] = split
    marked = set(known)
    shares = config.replace(
        test=0.0 if TEST in marked else config.test,
        validation=0.0 if VALIDATION in marked else config.validation,
    )
    hashed = {label: hashed_split(key, shares) for label, key in smallest.items()}
    rows = list(zip(clusters.tolist(), known, strict=True))
    _fill(hashed, smallest, strongest, shares)
    assigned = [split or strongest.get(label) or hashed[label] for label, split in rows]
    if VALIDATION in assigned:
        return assigned
    cut = config.replace(test=0.0)
    held_out = {
        label
        for label, key in smallest.items()
        if strongest.get(label, TRAIN) == TRAIN and hashed_split(key, cut) == VALIDATION
    }
    return [
        VALIDATION if split == TRAIN and label in held_out else split
        for split, (label, _) in zip(assigned, rows, strict=True)
    ]


def _fill(
    hashed: dict[int, str],
    smallest: Mapping[int, str],
    strongest: Mapping[int, str],
    config: SplitConfig,
) -> None:
    """Fills splits that no hash has hit, which happens with few groups: each gets the group with the nearest hash, in
    place. At least one group stays for training."""
    free = [label for label in hashed if label not in strongest]
    for split, share in ((TEST, config.test), (VALIDATION, config.validation)):
        training = [label for label in free if hashed[label] == TRAIN]
        missing = share > 0 and all(hashed[label] != split for label in free)
        if missing and len(training) > 1:
            hashed[min(training, key=lambda label: _share(smallest[label], config))] = split


def is_divided(splits: Sequence[str | None]) -> bool:
    """Whether every row has a split, and training has validation rows for choosing the best weights."""
    return None not in splits and (VALIDATION in splits or TRAIN not in splits)


def described(
    given: Sequence[str | None], assigned: Sequence[str], config: SplitConfig
) -> str | None:
    """Describes how many rows without a split were assigned beside rows that have one, and how many training rows
    became validation; None if there are no such rows."""
    if config.redo:
        return None
    pairs = Counter(zip(given, assigned, strict=True))
    unmarked = {split: count for (before, split), count in pairs.items() if before is None}
    said = []
    if 0 < sum(unmarked.values()) < len(given):
        shares = ", ".join(f"{count} to {split}" for split, count in sorted(unmarked.items()))
        said.append(f"{sum(unmarked.values())} of {len(given)} rows have no split: {shares}")
    if moved := pairs[TRAIN, VALIDATION]:
        train = moved + pairs[TRAIN, TRAIN]
        said.append(
            f"there is no validation split: {moved} of {train} training rows are used for it"
        )
    return "; ".join([*said, "whole groups by their hash"]) if said else None


def lopsided(
    groups: Sequence[str],
    given: Sequence[str | None],
    assigned: Sequence[str],
    config: SplitConfig,
) -> str | None:
    """Describes a split whose share of the rows is far from the share asked for, since whole groups are few or of very
    different sizes; None if no split is, if the data mark the splits, or if each row is a group of its own.

    groups, given, assigned: of each row, the group, its split in the data, and the one that it got.
    """
    marked = not config.redo and any(split is not None for split in given)
    if marked or len(set(groups)) == len(groups):
        return None
    asked = {VALIDATION: config.validation, TEST: config.test}
    asked = {TRAIN: 1 - sum(asked.values()), **asked}
    rows, sizes = Counter(assigned), Counter(groups)
    got = {split: rows[split] / max(1, len(assigned)) for split in asked}
    if all(abs(got[split] - share) <= FAR for split, share in asked.items()):
        return None
    named = [f"{name} {size / len(groups):.0%}" for name, size in sizes.most_common(NAMED_GROUPS)]
    largest = ", ".join([*named, *(["..."] if len(sizes) > NAMED_GROUPS else [])])
    shares = ", ".join(f"{split} {got[split]:.0%} ({share:.0%})" for split, share in asked.items())
    return (
        f"{len(sizes):,} groups ({largest}) stay whole, so the splits have other shares of the rows than asked for "
        f"(in brackets): {shares}"
    )


def leaking_rows(splits: Sequence[str], clusters: NDArray[np.intp]) -> dict[int, str]:
    """Returns row -> the strongest split of its cluster, for rows in another split than that."""
    strongest: dict[int, str] = {}
    for label, split in zip(clusters.tolist(), splits, strict=True):
        held = strongest.get(label)
        if held is None or (rank(split), split) < (rank(held), held):
            strongest[label] = split
    return {
        row: strongest[label]
        for row, (label, split) in enumerate(zip(clusters.tolist(), splits, strict=True))
        if split != strongest[label]
    }
