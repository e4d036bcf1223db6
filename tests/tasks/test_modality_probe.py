"""The probe tells apart what lies apart, and no more often than chance what does not; the gap is that of the means."""

from dataclasses import replace

import pytest
import torch
from every_task import CASES, dataset, member
from torch import Tensor

from weft.core.errors import WeftError
from weft.inference.member import Entry
from weft.tasks.modality_probe import ModalityProbe, ModalityProbeConfig, _half, one_a_row

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


@pytest.mark.parametrize("streams", [("image",), ("image", "image", "text")])
def test_streams_are_different_ones(streams: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected two or more different ones"):
        ModalityProbeConfig(streams)


@pytest.mark.parametrize(("whole", "said"), [(0, "0 groups"), (1, "1 group")])
def test_rows_with_all_streams_of_too_few_groups(whole: int, said: str) -> None:
    """Half of the other rows have a picture, half a text."""
    rows = [
        replace(
            row,
            items={
                name: value
                for name, value in row.items.items()
                if number < whole or name != ("image", "text")[number % 2]
            },
        )
        for number, row in enumerate(dataset())
    ]
    with pytest.raises(WeftError, match=f"the rows with all of image, text have {said}, expected"):
        CASES["modality_probe"].build().evaluate([member(rows)], rows)
