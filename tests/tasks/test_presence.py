"""Every task on rows that lack a stream: it measures what is there, or says in one line why it cannot."""

from dataclasses import replace

import numpy as np
import pytest
from every_task import CASES, ROWS, STREAMS, dataset, measured, member

from weft.core.errors import WeftError

every_task = pytest.mark.parametrize("name", CASES)
REMOVED = {"a row": {5}, "a batch": {4, 5, 6, 7}}


@every_task
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("removed", REMOVED)
def test_rows_that_lack_a_stream(name: str, stream: str, removed: str) -> None:
    found = measured(name, dataset(stream, REMOVED[removed]))
    if name == "generation":  # what is drawn needs no real values, and distances have no intervals
        assert found.drawn is not None
        assert all(np.isfinite(estimate.value) for estimate in found.metrics.values())
        return
    assert found.metrics
    for metric, estimate in found.metrics.items():
        bounds = [] if metric == "gap" else [estimate.low, estimate.high]  # one number of all rows
        assert np.isfinite([estimate.value, *bounds]).all(), metric


@every_task
@pytest.mark.parametrize("stream", STREAMS)
def test_a_data_set_without_a_stream(name: str, stream: str) -> None:
    rows, message = dataset(stream, set(range(ROWS))), ""
    try:
        found = measured(name, rows)
    except WeftError as error:
        message = str(error)
    if message:
        assert "\n" not in message
        assert stream in message
    else:
        assert all(np.isfinite(estimate.value) for estimate in found.metrics.values())


@pytest.mark.parametrize("name", ["retrieval", "zero_shot", "matching"])
@pytest.mark.parametrize("removed", REMOVED)
def test_what_needs_both_measures_the_rows_that_have_both(name: str, removed: str) -> None:
    """As if the others were not in the data."""
    found = measured(name, dataset("image", REMOVED[removed]))
    whole = [row for n, row in enumerate(dataset()) if n not in REMOVED[removed]]
    expected = measured(name, whole)
    assert {n: e.value for n, e in found.metrics.items()} == pytest.approx(
        {n: e.value for n, e in expected.metrics.items()}
    )


@pytest.mark.parametrize("name", ["classification", "reasoning", "vqa", "vqa-written", "dialog"])
def test_what_reads_either_counts_every_row(name: str) -> None:
    found = measured(name, dataset("image", REMOVED["a batch"]))
    assert all(len(values.values) == ROWS for values in found.values.values())
    assert found.protocol["left_out_unreadable"] == 0


def test_a_group_is_captioned_from_the_first_row_that_has_a_picture() -> None:
    rows = [replace(row, group=f"group{n // 2}") for n, row in enumerate(dataset("image", {0, 4}))]
    texts = [replace(row, items={**row.items}) for row in rows]
    result = CASES["captioning"].build().evaluate([member(texts)], texts)  # type: ignore[attr-defined]
    assert result.protocol["captions"] == ROWS // 2
    assert result.protocol["left_out_unreadable"] == 0
