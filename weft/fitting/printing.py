"""Prints the result of `weft fit` on the terminal."""

from rich.console import Console

from weft.core.language import say
from weft.core.tables import TableColumn, TextTable
from weft.evaluation.metric import SCALES
from weft.fitting.leaderboard import Leaderboard, difference_text
from weft.fitting.result import PAGE, FitResult
from weft.fitting.wording import no_time, sentences

SHOWN, NAMED = 12, 5
"""Printed lines of the leaderboard, and printed rows that were left out. The JSON file has all."""


def print_result(found: FitResult, console: Console | None = None) -> None:
    """Prints the leaderboard, the recommendation with its reason, the importance of the columns, and warnings."""
    console = console or Console()

    def tell(line: str, style: str = "") -> None:
        console.print(say(line), style=style, highlight=False, markup=False)

    if found.bad:
        tell(f"{len(found.bad):,} rows cannot be read and are left out:")
        for error in found.bad[:NAMED]:
            tell(f"  {error}")
    for note in found.notes:
        tell(note)
    console.print()
    tell(f"{found.board.target}: {say(found.board.judged)}", "bold")
    table = _table(found.board).text(console.width)
    console.print(table, highlight=False, markup=False, soft_wrap=True)
    hidden = len(found.board.entries) - SHOWN
    if hidden > 0:
        tell(f"{hidden} more candidates are in leaderboard.json")
    tell(found.board.correction)
    for line in [*sentences(found.board, found.test), *no_time(found.left_out)]:
        tell(line)
    if len(found.important) > 1:
        metric = found.board.metric
        tell(
            f"permutation importance: how much worse {found.explained} gets when a column is exchanged between rows "
            f"({metric.axis}):"
        )
        for one in found.important[:NAMED]:
            interval = one.loss.interval(metric.digits)
            tell(f"  {one.column}: {one.loss.value:.{metric.digits}f} ({interval})")
    for alarm in found.alarms:
        tell(f"{say('ALARM')}: {say(alarm)}", "bold red")
    tell(f"run directory: {found.folder}")
    tell(f"page: {found.folder / PAGE}")


def _table(board: Leaderboard) -> TextTable:
    metric = board.metric
    axis = metric.axis
    score = axis if metric.unit in SCALES else f"{say(metric.words)} ({axis})"
    names = (
        *(score, say("95% interval")),
        *(say("from the best"), *(say(one.words) for one in board.others), say("s")),
    )
    columns = [TableColumn(say("candidate")), *(TableColumn(name, right=True) for name in names)]
    rows = [
        [
            say(entry.candidate.name),
            metric.shown(entry.estimate.value),
            entry.estimate.interval(metric.digits),
            say(difference_text(entry, metric)),
            *(m.shown(v) for m, v in zip(board.others, entry.others, strict=True)),
            f"{entry.seconds:.1f}",
        ]
        for entry in board.entries[:SHOWN]
    ]
    return TextTable(columns, rows)
