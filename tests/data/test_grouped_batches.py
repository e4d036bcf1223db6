"""Batches that hold whole groups."""

from typing import Any

import numpy as np
import pytest

from weft.core.samples import Sample
from weft.data.loader import Loader
from weft.data.no_data import NoDataConfig
from weft.data.sampler import GroupedSampler
from weft.runs.recipe import DataConfig
from weft.runs.sampling import groups_of

FILMS, PARTS = 7, 3
GROUPS = np.tile(np.arange(FILMS), PARTS)
"""The parts of a film do not lie side by side in the data."""


def test_a_batch_holds_whole_groups_and_an_epoch_every_row_once() -> None:
    sampler = GroupedSampler(GROUPS, batch_size=PARTS, seed=3)
    assert sampler.steps_per_epoch == FILMS
    for epoch in range(2):
        seen = []
        for step in range(epoch * FILMS, (epoch + 1) * FILMS):
            draws = sampler.draws(step)
            assert {draw.epoch for draw in draws} == {epoch}
            assert len({GROUPS[draw.row] for draw in draws}) == 1
            seen += [draw.row for draw in draws]
        assert sorted(seen) == list(range(FILMS * PARTS))
    orders = [[GROUPS[sampler.draws(s)[0].row] for s in range(n, n + FILMS)] for n in (0, FILMS)]
    assert orders[0] != orders[1]


def test_a_step_is_a_function_of_the_seed_and_its_number() -> None:
    first = GroupedSampler(GROUPS, batch_size=5, seed=3)
    again = GroupedSampler(GROUPS, batch_size=5, seed=3)
    assert [first.draws(n) for n in range(9)] == [again.draws(n) for n in reversed(range(9))][::-1]
    other = GroupedSampler(GROUPS, batch_size=5, seed=4)
    assert [first.draws(n) for n in range(9)] != [other.draws(n) for n in range(9)]
    with pytest.raises(ValueError, match="step is -1"):
        first.draws(-1)


def test_the_loader_reads_the_groups_of_the_rows() -> None:
    rows = [Sample(f"r{n}", f"film{group}", {}, f"made:{n}") for n, group in enumerate(GROUPS)]
    assert groups_of(rows).tolist() == GROUPS.tolist()
    sampler = GroupedSampler(groups_of(rows), 2 * PARTS, seed=0)
    options: dict[str, Any] = {"batch_size": 2 * PARTS, "seed": 0, "workers": 0, "sampler": sampler}
    loader = Loader(rows, {}, **options)
    for step in range(FILMS // 2):
        assert len(set(loader.batch(step).groups.tolist())) == 2
    halves = [Loader(rows, {}, **options, rank=r, world_size=2) for r in (0, 1)]
    for step in range(4):
        whole = loader.batch(step).ids
        assert [name for half in halves for name in half.batch(step).ids] == list(whole)


def test_groups_and_lengths_cannot_both_say_what_a_batch_holds() -> None:
    plain = DataConfig(source=NoDataConfig(), streams={})
    with pytest.raises(ValueError, match="by_group and data.bucketing"):
        plain.replace(by_group=True, bucketing=plain.bucketing.replace(stream="text"))
