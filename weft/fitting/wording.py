"""The result of `weft fit` in sentences."""

from collections.abc import Sequence

from weft.core.language import listed, say
from weft.evaluation.metric import Metric, Score
from weft.fitting.leaderboard import Entry, Leaderboard

NAMED = 5
"""Number of candidates without time that are named. More are only counted."""


def sentences(board: Leaderboard, test: Score | None = None) -> list[str]:
    """The recommendation, and how far it can be trusted."""
    return [*recommended(board, test), *compared(board)]


def recommended(board: Leaderboard, test: Score | None = None) -> list[str]:
    """The recommended candidate and its scores."""
    chosen = board.recommended
    score = Score(board.metric, chosen.estimate)
    found = [
        f"Recommended is {chosen.candidate.name}: {board.metric.words} {_amount(board.metric, score.shown)} "
        f"({score.interval_words})."
    ]
    if test is not None:
        found.append(
            "On the test rows, which were not used to choose a model, the recommended model has "
            f"{_amount(test.metric, test.shown)} ({test.interval})."
        )
    return found


def compared(board: Leaderboard) -> list[str]:
    """Compares the recommended candidate with the best one and with the constant."""
    chosen, best, metric = board.recommended, board.entries[0], board.metric
    found = []
    if chosen is not best:
        found.append(
            f"{best.candidate.name} has the best score, {_score(metric, best)}, but the two do not differ clearly: "
            "the simpler one is recommended."
        )
    constant = next(e for e in board.entries if e.candidate.model == "constant")
    if chosen is constant:
        found.append("No model is clearly better than a constant prediction, which uses no column.")
    else:
        found.append(
            f"A constant prediction, which uses no column ({constant.candidate.name}), gets "
            f"{_score(metric, constant)}."
        )
    return found


def no_time(left_out: Sequence[str]) -> list[str]:
    """The candidates for which there was no time."""
    if not left_out:
        return []
    more = len(left_out) - NAMED
    named = listed(left_out[:NAMED]) + (say(f", and {more} more") if more > 0 else "")
    return [f"Not tried for lack of time: {named}. More --minutes may find a better model."]


def _score(metric: Metric, entry: Entry) -> str:
    return _amount(metric, metric.shown(entry.estimate.value))


def _amount(metric: Metric, shown: str) -> str:
    return f"{shown} {metric.unit}".rstrip()
