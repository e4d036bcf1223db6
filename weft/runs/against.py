"""Compares two runs on the same rows: paired differences of their metrics."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from weft.core.errors import DataError, WeftError
from weft.core.language import say
from weft.core.tables import TableColumn, TextTable
from weft.data.formats import Dataset
from weft.evaluation.comparison import Comparison, compare
from weft.evaluation.metric import Metric
from weft.inference.results import TaskResult


@dataclass(frozen=True)
class Difference:
    """A metric of two runs. compared: second is the measured run, first the other one."""

    metric: Metric
    compared: Comparison

    @property
    def relative(self) -> float | None:
        """The difference as a share of the other run's value; None if that is 0."""
        other = self.compared.first.value
        return self.compared.difference.value / other if other else None


@dataclass(frozen=True)
class Against:
    """metric -> its difference, for every metric that is a mean over rows or a function of their counts. other: name
    of the other run."""

    other: str
    differences: Mapping[str, Difference]

    def table(self) -> TextTable:
        """Returns one row for each metric."""
        columns = [
            TableColumn(say("metric"), long="whole"),
            TableColumn(say("value"), right=True),
            TableColumn(self.other, right=True),
            TableColumn(say("difference"), right=True),
            TableColumn(say("95% interval"), right=True),
            TableColumn(say("relative"), right=True),
            TableColumn("p", right=True),
        ]
        rows = []
        for name, found in self.differences.items():
            shown, compared = found.metric.shown, found.compared
            change = "" if found.relative is None else f"{100 * found.relative:+.0f} %"
            rows.append(
                [
                    name,
                    shown(compared.second.value),
                    shown(compared.first.value),
                    f"{compared.difference.value:+.{found.metric.digits}f}",
                    compared.difference.interval(found.metric.digits),
                    change,
                    "<0.001" if compared.p_value < 0.001 else f"{compared.p_value:.3f}",
                ]
            )
        return TextTable(columns, rows)

    def to_json(self) -> dict[str, Any]:
        return {
            "other": self.other,
            "differences": {
                name: {
                    "value": found.compared.second.to_json(),
                    "other": found.compared.first.to_json(),
                    "difference": found.compared.difference.to_json(),
                    "relative": found.relative,
                    "p_value": found.compared.p_value,
                }
                for name, found in self.differences.items()
            },
        }


def check_same_rows(rows: Dataset, other: Dataset, name: str) -> None:
    """Raises WeftError if the rows of the other run, called `name`, have other groups than `rows`: nothing can be paired."""
    (one_ids, one), (two_ids, two) = _names(rows), _names(other)
    if one != two and one_ids == two_ids:
        raise WeftError(
            f"{name}: its {len(other):,} rows are those of the first run, but in other groups, so they cannot be paired; "
            "--columns group=COLUMN gives both runs the same groups"
        )
    if one != two:
        raise WeftError(
            f"{name}: its {len(other):,} rows differ from the {len(rows):,} rows of the first run (shared groups: "
            f"{len(one & two):,} of {len(one | two):,}), expected the same rows"
        )


def _names(rows: Dataset) -> tuple[set[str], set[str]]:
    """Returns the ids of the readable rows, and their groups."""
    ids, groups = set(), set()
    for row in range(len(rows)):
        with contextlib.suppress(DataError):  # the evaluation reports it
            sample = rows[row]
            ids.add(sample.id)
            groups.add(sample.group)
    return ids, groups


def held_against(result: TaskResult, other: TaskResult, name: str) -> Against:
    """Returns the differences `result` - `other`. Raises WeftError if they share no metric by rows, or the rows
    differ."""
    shared = [metric for metric in result.values if metric in other.values]
    if not shared:
        raise WeftError(
            f"{name}: shares no metric of task '{result.task}' that is a mean over rows, so nothing can be paired"
        )
    found = {}
    for metric in shared:
        one, two = result.values[metric], other.values[metric]
        if not torch.equal(one.groups, two.groups):
            raise WeftError(
                f"{name}: was measured on {len(two.groups)} rows that differ from the {len(one.groups)} rows of the "
                "first run, expected the same rows"
            )
        compared = compare(
            two.values.numpy(), one.values.numpy(), one.groups.numpy(), statistic=one.of or "mean"
        )
        found[metric] = Difference(result.metrics[metric].metric, compared)
    return Against(name, found)
