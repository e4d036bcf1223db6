"""Random numbers of rows: even, and the row's own whatever stands beside it."""

import torch

from weft.core.draws import uniform
from weft.core.records import Batch

SEEDS = torch.arange(4000)


def test_numbers_are_even_and_do_not_depend_on_each_other() -> None:
    drawn = uniform(SEEDS, "score", 50)
    assert drawn.shape == (4000, 50)
    assert drawn.dtype == torch.float32
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts, expected = torch.histc(drawn, bins=20, min=0, max=1), drawn.numel() / 20
    assert ((counts - expected).square() / expected).sum() < 43.8  # chi-squared of 19, p = 0.001
    pairs = torch.stack([drawn[:-1, :-1], drawn[1:, :-1], drawn[:-1, 1:]]).flatten(1)
    between = torch.corrcoef(pairs) - torch.eye(3)
    assert between.abs().max() < 0.01


def test_names_rows_and_places_have_their_own() -> None:
    drawn = uniform(SEEDS[:5], "score", 3)
    assert len(drawn.unique()) == 15
    assert not torch.equal(drawn, uniform(SEEDS[:5], "fate", 3))
    assert torch.equal(drawn, uniform(SEEDS[:5], "score", 3))


def test_neither_other_rows_nor_padding_change_a_number() -> None:
    drawn = uniform(SEEDS[:6], "score", 7)
    assert torch.equal(uniform(SEEDS[2:4], "score", 7), drawn[2:4])
    assert torch.equal(uniform(SEEDS[:6], "score", 4), drawn[:, :4])
    assert torch.equal(uniform(SEEDS[:6], "score", 7, 1)[:, :, 0], drawn)
    assert uniform(SEEDS[:0], "score", 7).shape == (0, 7)


def test_a_batch_without_seeds_draws_from_torch() -> None:
    rows = Batch({}, ids="abc", groups=torch.arange(3))
    torch.manual_seed(0)
    first, second = rows.uniform("score", 2), rows.uniform("score", 2)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(rows.uniform("score", 2), first)
    seeded = Batch({}, ids="abc", groups=torch.arange(3), seeds=torch.tensor([7, 8, 9]))
    assert torch.equal(seeded.rows(slice(1, 3)).uniform("score", 2), seeded.uniform("score", 2)[1:])
