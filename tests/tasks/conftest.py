"""Lets the tests of this folder import `tiny_world`."""

import functools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny_world import tiny_world

from weft.evaluation.metric import find
from weft.tasks import tasks


@pytest.fixture
def world():
    return tiny_world


@pytest.fixture(autouse=True)
def _every_number_is_a_declared_metric(monkeypatch):
    """Of every result in these tests: a task measures what it declares, and nothing else."""
    for config in tasks().values():
        monkeypatch.setattr(type(config.build()), "evaluate", _checked(type(config.build())))


def _checked(task):
    evaluate = task.evaluate

    @functools.wraps(evaluate)
    def checked(self, *arguments, **options):
        result = evaluate(self, *arguments, **options)
        assert result.metrics
        for name, score in result.metrics.items():
            assert find(self.metrics, name) == score.metric
        for name, values in result.values.items():
            assert result.metrics[name].value == pytest.approx(float(values.values.mean()))
        for values in result.baselines.values():
            assert values
            for name in values:
                find(self.metrics, name)
        return result

    return checked
