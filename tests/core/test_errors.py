"""Errors: what they say, and that a worker process can send them."""

import pickle

import pytest

from weft.core.errors import DataError, MissingExtraError, WeftError


@pytest.mark.parametrize(
    "error",
    [
        WeftError("is empty"),
        DataError("is empty", source="rows.jsonl:3"),
        MissingExtraError("daft", extra="daft", purpose="the engine daft"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_whole_from_another_process(error: WeftError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (type(error), str(error), vars(error))
