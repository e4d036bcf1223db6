"""The probe tells apart what lies apart, and no more often than chance what does not; the gap is that of the means."""

import pytest
import torch
from every_task import CASES
from torch import Tensor

from weft.inference.member import Entry
from weft.tasks.modality_probe import ModalityProbe, _half, one_a_row

ROWS, DIM = 400, 5


def accuracy(one: Tensor, other: Tensor) -> tuple[float, float]:
    """Share of each stream's rows for which the probe is right; of rows that it was not fitted on."""
    probe: ModalityProbe = CASES["modality_probe"].build()  # type: ignore[attr-defined]
    vectors = torch.cat([one, other]).double()
    labels = torch.tensor([0] * len(one) + [1] * len(other))
    groups = torch.cat([torch.arange(len(one)), torch.arange(len(other))])
    fitted = _half(groups, 0)
    right, rest = probe._right(vectors, labels, fitted), labels[~fitted]
    return float(right[rest == 0].mean()), float(right[rest == 1].mean())


def drawn(rows: int, at: float = 0.0, seed: int = 0) -> Tensor:
    return torch.randn(rows, DIM, generator=torch.Generator().manual_seed(seed)) + at


def test_streams_that_lie_apart_are_told_and_equal_ones_by_chance() -> None:
    assert min(accuracy(drawn(ROWS), drawn(ROWS, 8, seed=1))) > 0.99
    by_chance = accuracy(drawn(ROWS), drawn(ROWS, seed=1))
    assert sum(by_chance) / 2 == pytest.approx(0.5, abs=0.06)


def test_the_stream_with_more_rows_is_not_preferred() -> None:
    """Of streams that cannot be told apart the probe says neither more often, whatever their numbers of rows."""
    many, few = accuracy(drawn(9 * ROWS), drawn(ROWS, seed=1))
    assert many == pytest.approx(0.5, abs=0.12)
    assert few == pytest.approx(0.5, abs=0.12)


def test_rows_of_a_group_are_fitted_or_measured_together() -> None:
    groups = torch.arange(50).repeat(3)
    fitted = _half(groups, 3)
    assert fitted.view(3, 50).float().mean(0).unique().tolist() == [0, 1]
    assert int(fitted.sum()) == 75
    assert not torch.equal(fitted, _half(groups, 4))


def test_one_caption_of_each_row_is_drawn() -> None:
    rows = [row for row in range(200) if row != 7]
    entries = [Entry("text", row, number) for row in rows for number in range(5)]
    drawn = one_a_row(entries, 0)
    assert [entry.row for entry in drawn] == rows
    counts = torch.bincount(torch.tensor([entry.alternative for entry in drawn]), minlength=5)
    assert counts.min() > 20
    assert one_a_row(entries, 0) == drawn
    assert one_a_row(entries, 1) != drawn
