"""Warnings about misleading scores: a column that names rows, or a column that gives the answer away."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weft.evaluation.comparison import compare
from weft.fitting.scores import row_errors
from weft.fitting.trials import Setting, Trial

NEARLY = 0.02
"""A column gives the answer away if a model of it alone makes at most this share of the constant's errors."""


def alarms(trials: Sequence[Trial], setting: Setting) -> list[str]:
    """One sentence for each warning. It begins with the column's name."""
    errors = {id(trial): _errors(trial, setting) for trial in trials}
    constant = next(trial for trial in trials if trial.candidate.model == "constant")
    base = errors[id(constant)]
    alone = [trial for trial in trials if len(trial.candidate.columns) == 1]
    several = (
        len({trial.candidate.columns for trial in alone if trial.candidate.role != "names rows"})
        > 1
    )
    found: list[str] = []
    for trial in alone:
        name, of = trial.candidate.columns[0], errors[id(trial)]
        if trial.candidate.role == "names rows" and _clearly_less(of, base, setting):
            found.append(
                f"'{name}' names rows, and it alone predicts '{setting.goal.column}' better than a constant: the "
                "order or the names of the rows give the answer away. No model uses it; look whether other columns "
                "were filled in with the answer in mind, too"
            )
        elif several and trial.candidate.role != "names rows" and of.mean() <= NEARLY * base.mean():
            found.append(
                f"'{name}' alone predicts '{setting.goal.column}' without errors, or nearly so. If it is not known "
                f"before '{setting.goal.column}' is, leave it out: --without {name}"
            )
    return list(dict.fromkeys(found))


def _errors(trial: Trial, setting: Setting) -> NDArray[np.float64]:
    values = setting.goal.values[setting.plan.held]
    return row_errors(trial.outputs, values, setting.goal)


def _clearly_less(errors: NDArray[np.float64], base: NDArray[np.float64], setting: Setting) -> bool:
    found = compare(base, errors, setting.clusters[setting.plan.held])
    return found.difference.high < 0 and found.p_value < 0.01
