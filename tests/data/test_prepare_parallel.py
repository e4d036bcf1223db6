"""Units of work go to processes; a process that dies is one clear error."""

import operator
import os

import pytest

from weft.core.errors import WeftError
from weft.data.prepare.parallel import cores, in_parallel


@pytest.mark.parametrize("workers", [1, 2])
def test_every_unit_is_worked_on_once(workers: int) -> None:
    made = dict(in_parallel(operator.mul, 3, range(30), workers))
    assert made == {n: 3 * n for n in range(30)}


def test_a_killed_worker_is_one_clear_error() -> None:
    with pytest.raises(WeftError, match="a worker process was killed"):
        list(in_parallel(operator.call, os._exit, [9] * 5, 2))


def test_workers() -> None:
    assert cores(3) == 3
    assert cores(None) >= 1
    with pytest.raises(ValueError, match="workers is 0, expected at least 1"):
        cores(0)
