"""Lets the tests of this folder import `tiny_world`."""

import functools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny_world import tiny_world

from weft.evaluation import bootstrap, comparison, drawn
from weft.evaluation.metric import find
from weft.tasks import tasks

SEEN: set[type] = set()
"""Settings of tasks whose seeds were checked already."""


@pytest.fixture
def world():
    return tiny_world


@pytest.fixture(autouse=True)
def _every_number_is_a_declared_metric(monkeypatch):
    """Of every result in these tests: a task measures what it declares, and nothing else."""
    for task in {type(config.build()) for config in tasks().values()}:
        monkeypatch.setattr(task, "evaluate", _checked(task))


def _check_seeds(config, evaluate, arguments, options):
    """Every bootstrap and every randomisation has the seed and the resamples of the config."""
    used = []

    def noted(function):
        @functools.wraps(function)
        def noting(*given, **settings):
            resamples = settings.get("resamples", settings.get("subsets"))
            used.append((settings.get("seed"), resamples))
            return function(*given, **settings)

        return noting

    if hasattr(config, "retrieval"):
        config = config.replace(retrieval=config.retrieval.replace(seed=11, resamples=13))
    else:
        config = config.replace(seed=11, resamples=13)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap.Bootstrap, "__init__", noted(bootstrap.Bootstrap.__init__))
        patch.setattr(comparison, "randomisation_test", noted(comparison.randomisation_test))
        patch.setattr(drawn, "kid_estimate", noted(drawn.kid_estimate))
        evaluate(config.build(), *arguments, **options)
    assert used
    assert set(used) == {(11, 13)}


def _checked(task):
    evaluate = task.evaluate

    @functools.wraps(evaluate)
    def checked(self, *arguments, **options):
        result = evaluate(self, *arguments, **options)
        if result.metrics and type(self.config) not in SEEN:
            SEEN.add(type(self.config))
            _check_seeds(self.config, evaluate, arguments, options)
        assert result.metrics or result.drawn is not None
        for name, score in result.metrics.items():
            metric = score.metric
            assert find(self.metrics, name).in_unit(metric.unit, metric.digits) == metric
        for name, values in result.values.items():
            assert result.metrics[name].value == pytest.approx(values.value)
        for values in result.baselines.values():
            assert values
            for name in values:
                find(self.metrics, name)
        return result

    return checked
