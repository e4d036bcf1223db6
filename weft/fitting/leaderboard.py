"""The candidates in order, each against the best one, paired row by row and corrected for their number."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Printed

from weft.core.files import write_text
from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.comparison import Comparison, against_best
from weft.evaluation.metric import Metric
from weft.fitting.candidates import Candidate
from weft.fitting.goal import Goal
from weft.fitting.models import Floats, probabilities, row_losses
from weft.fitting.trials import Setting, Trial
from weft.tasks._accuracy import ACCURACY
from weft.tasks.regression import MAE, RMSE

LOG_LOSS = Metric("log_loss", "", better="lower", digits=3)
SHOWN = 12
"""Lines of the table on the terminal; the JSON and the page have all."""


@dataclass(frozen=True)
class Entry:
    """A candidate, its score with interval, and its difference from the best one.

    difference: of the score, this one minus the best, with an interval that holds for all pairs of
    candidates at once; None of the best itself. tied: the interval of the difference holds 0. second: another
    metric, without an interval.
    """

    candidate: Candidate
    estimate: Estimate
    second: float
    difference: Comparison | None
    seconds: float
    memory: float

    @property
    def tied(self) -> bool:
        """Whether the data do not tell it from the best."""
        return self.difference is None or not self.difference.clear


@dataclass(frozen=True)
class Leaderboard:
    """The candidates, the best first. recommended: the simplest of those that are tied with the best."""

    target: str
    metric: Metric
    second: Metric
    entries: Sequence[Entry]
    judged: str

    @property
    def recommended(self) -> Entry:
        return min(
            (entry for entry in self.entries if entry.tied and not entry.candidate.clue),
            key=lambda entry: entry.candidate.simplicity,
        )

    @property
    def correction(self) -> str:
        """How the choice of the best is allowed for."""
        pairs = len(self.entries) * (len(self.entries) - 1) // 2
        return (
            f"Differences are paired row by row; their 95% intervals are clustered by group and hold for all "
            f"{pairs:,} pairs of the {len(self.entries)} candidates at once (max-T)."
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
        behind = entry.difference
        return {
            "name": entry.candidate.name,
            "model": entry.candidate.model,
            "columns": list(entry.candidate.columns),
            "score": entry.estimate.to_json(),
            "behind_best": None if behind is None else behind.difference.to_json(),
            "p_value": None if behind is None else behind.p_value,
            "tied_with_best": entry.tied,
            self.second.name: entry.second,
            "seconds": round(entry.seconds, 2),
            "memory_mb": round(entry.memory),
        }

    def save(self, path: Path) -> None:
        write_text(path, json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n")


def leaderboard(trials: Sequence[Trial], setting: Setting) -> Leaderboard:
    """The trials, measured on the rows that compare."""
    goal, held = setting.goal, setting.plan.held
    values, clusters = goal.values[held], setting.clusters[held]
    metric, second = (ACCURACY, LOG_LOSS) if goal.kind == "class" else (MAE, RMSE)
    columns = [row_scores(trial.outputs, values, goal) * metric.scale for trial in trials]
    usable = [n for n, trial in enumerate(trials) if not trial.candidate.clue]
    best = min(usable, key=lambda n: (metric.best_first(float(columns[n].mean())), n))
    compared: Mapping[int, Comparison] = against_best(columns, clusters, best) if trials[1:] else {}
    bootstrap = Bootstrap(clusters)
    entries = [
        Entry(
            trial.candidate,
            bootstrap.mean(columns[n], clusters).estimate(),
            _second(trial.outputs, values, goal),
            compared.get(n),
            trial.seconds,
            trial.memory,
        )
        for n, trial in enumerate(trials)
    ]
    entries.sort(
        key=lambda entry: (
            entry.difference is not None,
            metric.best_first(entry.estimate.value),
            entry.candidate.simplicity,
        )
    )
    return Leaderboard(goal.column, metric, second, entries, setting.plan.said)


def row_scores(outputs: Floats, values: NDArray[Any], goal: Goal) -> Floats:
    """(N,) 1 where the class is right, else 0; or the absolute error."""
    if goal.kind == "number":
        return np.asarray(np.abs(outputs[:, 0] - values))
    return np.asarray(outputs.argmax(axis=1) == values, dtype=np.float64)


def _second(outputs: Floats, values: NDArray[Any], goal: Goal) -> float:
    losses = row_losses(outputs, values, goal)
    return float(np.sqrt(losses.mean()) if goal.kind == "number" else losses.mean())


def best_class(outputs: Floats) -> NDArray[np.intp]:
    """(N,) the most probable class."""
    return np.asarray(probabilities(outputs).argmax(axis=1))


def print_leaderboard(board: Leaderboard, console: Console | None = None) -> None:
    """The table, what is recommended and why, in plain words."""
    console = console or Console()
    console.print(f"\n[bold]{board.target}[/bold]: {board.judged}", highlight=False)
    console.print(_printed(board))
    hidden = len(board.entries) - SHOWN
    if hidden > 0:
        console.print(f"{hidden} more candidates are in leaderboard.json", highlight=False)
    console.print(board.correction, highlight=False)
    tied = [entry for entry in board.entries if entry.tied and not entry.candidate.clue]
    name = board.recommended.candidate.name
    why = (
        "it is clearly the best" if len(tied) == 1 else f"the simplest of {len(tied)} that are tied"
    )
    console.print(f"recommended: [bold]{name}[/bold] ({why})", highlight=False)


def _printed(board: Leaderboard) -> Printed:
    metric = board.metric
    table = Printed()
    table.add_column("candidate")
    table.add_column(f"{metric.words}, {metric.unit}", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("from the best", justify="right")
    table.add_column(board.second.words, justify="right")
    table.add_column("s", justify="right")
    for entry in board.entries[:SHOWN]:
        table.add_row(
            entry.candidate.name,
            metric.shown(entry.estimate.value),
            entry.estimate.interval(metric.digits),
            difference_text(entry, metric),
            board.second.shown(entry.second),
            f"{entry.seconds:.1f}",
        )
    return table


def difference_text(entry: Entry, metric: Metric) -> str:
    """The difference from the best with its interval, and the word tie where it holds 0."""
    if entry.difference is None:
        return "best"
    found = entry.difference.difference
    shown = f"{found.value:+.{metric.digits}f} ({found.low:+.{metric.digits}f} to {found.high:+.{metric.digits}f})"
    return f"{shown} tie" if entry.tied else shown
