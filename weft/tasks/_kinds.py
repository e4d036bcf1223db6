"""The metric for each kind of row, such as a type of question or a turn of a dialog."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.metric import FAMILY, Metric, Score

MOST_KINDS = 200
"""Maximum number of kinds that are measured separately; if there are more, those with the most rows."""


def by_kind(metric: Metric, kind: str) -> Metric:
    """The family of the metric for the rows of each kind: `class/{}/accuracy`."""
    return replace(metric.of(f"{kind}/{FAMILY}"), headline=False, row_mean=False)


@dataclass(frozen=True)
class Kinds:
    """The K measured kinds, in the order of their names, and the kind of each row (N,), K for others.

    kind: the word for a kind in the names of metrics.
    """

    kind: str
    names: tuple[str, ...]
    place_N: Tensor  # noqa: N815

    @classmethod
    def of(cls, kind: str, values: Sequence[str]) -> "Kinds":
        """The kinds of these rows; if there are too many, those with the most rows."""
        counts = Counter(values)
        ordered = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_KINDS]
        place = {value: number for number, value in enumerate(sorted(ordered, key=_in_order))}
        return cls(kind, tuple(place), torch.tensor([place.get(v, len(place)) for v in values]))

    def means(self, metric: Metric, values_N: Tensor) -> dict[str, float]:
        """Name of each kind's metric -> its value."""
        size = len(self.names) + 1
        sums, rows = (torch.bincount(self.place_N, w, minlength=size) for w in (values_N, None))
        means = (sums / rows).tolist()
        return {
            by_kind(metric, self.kind).member(name).name: metric.scale * mean
            for name, mean in zip(self.names, means, strict=False)
        }

    def scores(
        self, metric: Metric, shares_N: Tensor, groups_N: Tensor, bootstrap: Bootstrap
    ) -> list[Score]:
        """The metric of each kind with its interval. shares: (N,) in [0, 1]."""
        there_N = self.place_N < len(self.names)
        shares, places, groups = (
            one[there_N].numpy() for one in (shares_N, self.place_N, groups_N)
        )
        estimates = bootstrap.means_by(shares, places, len(self.names), groups, shares=True)
        family = by_kind(metric, self.kind)
        return [
            family.member(name).score(estimate)
            for name, estimate in zip(self.names, estimates, strict=True)
        ]


def _in_order(name: str) -> tuple[int, str]:
    """By name; numbers by their size."""
    return len(name) if name.isdigit() else 0, name
