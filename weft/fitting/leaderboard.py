"""The candidates sorted by score. Each is compared with the best: paired by row, corrected for their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.comparison import Comparison, against_best
from weft.evaluation.metric import Metric, mean_score
from weft.fitting.candidates import Candidate
from weft.fitting.models import Floats
from weft.fitting.scores import metrics_of, other_scores, row_scores
from weft.fitting.trials import Setting, Trial


@dataclass(frozen=True)
class Entry:
    """A candidate, its score with interval, and its difference from the best one.

    difference: score of this candidate minus the best score, with an interval that is valid for all pairs of compared
    candidates simultaneously. None for the best itself, and for candidates that are not compared. tied: the interval
    of the difference contains 0. others: the other metrics, without intervals.
    """

    candidate: Candidate
    estimate: Estimate
    others: tuple[float, ...]
    difference: Comparison | None
    seconds: float
    memory: float

    @property
    def tied(self) -> bool:
        """Whether the data show no difference from the best."""
        is_compared = self.candidate.role == "compared"
        return is_compared and (self.difference is None or not self.difference.clear)


@dataclass(frozen=True)
class Leaderboard:
    """The candidates, the best first. recommended: the simplest one that is tied with the best."""

    target: str
    metric: Metric
    others: tuple[Metric, ...]
    entries: Sequence[Entry]
    judged: str

    @property
    def recommended(self) -> Entry:
        return min(
            (entry for entry in self.entries if entry.tied),
            key=lambda entry: entry.candidate.simplicity,
        )

    @property
    def correction(self) -> str:
        """A sentence about the correction for choosing the best of several candidates."""
        count = sum(entry.candidate.role == "compared" for entry in self.entries)
        pairs = count * (count - 1) // 2
        if not pairs:
            return "One candidate is compared, so there is no difference."
        return (
            f"Differences are paired row by row; their 95% intervals are clustered by group and hold for all "
            f"{pairs:,} pairs of the {count} candidates in the comparison at once (max-T)."
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "metric": self.metric.name,
            **self.metric.to_json(),
            "judged": self.judged,
            "correction": self.correction,
            "recommended": self.recommended.candidate.name,
            "candidates": [self._entry_json(entry) for entry in self.entries],
        }

    def _entry_json(self, entry: Entry) -> dict[str, Any]:
        compared = entry.difference
        return {
            "name": entry.candidate.name,
            "model": entry.candidate.model,
            "columns": list(entry.candidate.columns),
            "role": entry.candidate.role,
            "score": entry.estimate.to_json(),
            "difference_from_best": None if compared is None else compared.difference.to_json(),
            "p_value": None if compared is None else compared.p_value,
            "tied_with_best": entry.tied,
            **{m.name: value for m, value in zip(self.others, entry.others, strict=True)},
            "seconds": round(entry.seconds, 2),
            "memory_mb": round(entry.memory),
        }


def leaderboard(trials: Sequence[Trial], setting: Setting) -> Leaderboard:
    """The leaderboard of the trials, measured on the comparison rows."""
    goal, held = setting.goal, setting.plan.held
    values, clusters = goal.values[held], setting.clusters[held]
    metrics = metrics_of(goal)
    return ranked(
        goal.column,
        metrics,
        setting.plan.said,
        [
            Measured(
                trial.candidate,
                row_scores(trial.outputs, values, goal) * metrics[0].scale,
                other_scores(trial.outputs, values, goal, clusters),
                trial.seconds,
                trial.memory,
            )
            for trial in trials
        ],
        clusters,
    )


@dataclass(frozen=True)
class Measured:
    """A candidate and its score for each row (N,), in the unit of the metric. others: values of the other metrics."""

    candidate: Candidate
    scores: Floats
    others: tuple[float, ...]
    seconds: float
    memory: float


def ranked(
    target: str,
    metrics: tuple[Metric, ...],
    judged: str,
    measured: Sequence[Measured],
    clusters: NDArray[np.int64],
) -> Leaderboard:
    """Sorts the candidates and compares each with the best. clusters: of the N rows."""
    metric, *others = metrics
    contest = [one for one in measured if one.candidate.role == "compared"]
    best = min(
        range(len(contest)), key=lambda n: (metric.best_first(float(contest[n].scores.mean())), n)
    )
    compared: dict[str, Comparison] = {}
    if len(contest) > 1:
        found = against_best([one.scores for one in contest], clusters, best)
        compared = {contest[n].candidate.name: one for n, one in found.items()}
    bootstrap = Bootstrap(clusters)
    entries = [
        Entry(
            one.candidate,
            mean_score(metric, one.scores, clusters, bootstrap).estimate,
            one.others,
            compared.get(one.candidate.name),
            one.seconds,
            one.memory,
        )
        for one in measured
    ]
    entries.sort(
        key=lambda entry: (
            entry.candidate is not contest[best].candidate,
            metric.best_first(entry.estimate.value),
            entry.candidate.simplicity,
        )
    )
    return Leaderboard(target, metric, tuple(others), entries, judged)


def difference_text(entry: Entry, metric: Metric) -> str:
    """The difference from the best with its interval, and the word tie if the interval contains 0."""
    if entry.difference is None:
        return "best" if entry.candidate.role == "compared" else "not compared"
    found = entry.difference.difference
    shown = f"{found.value:+.{metric.digits}f} ({found.low:+.{metric.digits}f} to {found.high:+.{metric.digits}f})"
    return f"{shown} tie" if entry.tied else shown
