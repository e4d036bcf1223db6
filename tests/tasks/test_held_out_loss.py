"""The held-out loss is a mean over complete rows, beside the loss of the mean of the training values."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from every_task import CASES, SETTINGS, dataset, member
from torch import Tensor

from weft.core.records import Batch
from weft.inference.member import Member
from weft.inference.results import TaskResult
from weft.inference.rows import Reading, read_rows
from weft.tasks import held_out_loss
from weft.tasks.held_out_loss import MEAN

TASK = CASES["held_out_loss"].replace(inference=SETTINGS.replace(batch_size=5))


def found(one: Member, rows: list, task=TASK) -> TaskResult:  # type: ignore[no-untyped-def, type-arg]
    result: TaskResult = task.build().evaluate([one], rows)
    return result


def test_rows_without_the_drawn_stream_count_as_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as rows that cost 0, even where a whole batch lacks it."""
    complete = [row for n, row in enumerate(dataset()) if n in range(5, 10)]
    lacking = dataset("image", {0, 1, 2, 3, 4, 10, 11})
    result = found(member(lacking), lacking)
    assert result.protocol["rows"] == 5
    # What a row costs depends on its number, so the rows are told theirs.
    expected = found(member([*lacking[:5], *complete]), [*lacking[:5], *complete])
    assert result.metrics["loss"].value == pytest.approx(expected.metrics["loss"].value, rel=1e-5)
    monkeypatch.setattr(held_out_loss, "TOGETHER", 2)
    parts = found(member(lacking), lacking)
    assert parts.metrics["loss"].value == pytest.approx(result.metrics["loss"].value, rel=1e-5)
    assert parts.metrics["loss"].low < parts.metrics["loss"].high


def test_the_baseline_is_the_loss_of_the_mean_of_training() -> None:
    rows, training = dataset(), dataset("image", {3})[:7]
    one = replace(member(rows), training=training)
    values = [
        row.items["image"].array().astype(np.float64) / 127.5 - 1
        for row in training
        if "image" in row.items
    ]
    mean = torch.from_numpy(np.mean(values, axis=0)).permute(2, 0, 1)
    costs: list[float] = []
    for read in read_rows([Reading.of(one, rows, ["image"])], rows, SETTINGS):
        batch: Batch = read.batches[0]
        pixels: Tensor = batch.inputs["image"].values.double() / 127.5 - 1  # type: ignore[union-attr]
        velocity = pixels - batch.normal("flow: noise", 3, 8, 8)
        costs += (mean - velocity).square().mean((1, 2, 3)).tolist()
    baseline = found(one, rows).baselines[MEAN]["loss"]
    assert baseline == pytest.approx(np.mean(costs), rel=1e-5)
    assert not found(member(rows), rows).baselines
