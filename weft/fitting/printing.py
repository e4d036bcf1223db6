"""What `weft fit` found, on the terminal."""

from rich.console import Console
from rich.table import Table as Printed

from weft.core.language import say as translated
from weft.fitting.leaderboard import Leaderboard, difference_text
from weft.fitting.result import PAGE, FitResult
from weft.fitting.wording import no_time, sentences

SHOWN, NAMED = 12, 5
"""Lines of the leaderboard, and rows that were left out, which are printed; the JSON has all."""


def print_result(found: FitResult, console: Console | None = None) -> None:
    """The leaderboard, what is recommended and why, what the columns are worth, and alarms."""
    console = console or Console()

    def say(line: str, style: str = "") -> None:
        console.print(translated(line), style=style, highlight=False, markup=False)

    if found.bad:
        say(f"{len(found.bad):,} rows cannot be read and are left out:")
        for error in found.bad[:NAMED]:
            say(f"  {error}")
    for note in found.notes:
        say(note)
    console.print()
    say(f"{found.board.target}: {found.board.judged}", "bold")
    console.print(_table(found.board))
    hidden = len(found.board.entries) - SHOWN
    if hidden > 0:
        say(f"{hidden} more candidates are in leaderboard.json")
    say(found.board.correction)
    for line in [*sentences(found.board, found.test), *no_time(found.left_out)]:
        say(line)
    if len(found.important) > 1:
        metric = found.board.metric
        say(f"what {found.explained} loses where a column is that of other rows ({metric.axis}):")
        for one in found.important[:NAMED]:
            interval = one.loss.interval(metric.digits)
            say(f"  {one.column}: {one.loss.value:.{metric.digits}f} ({interval})")
    for alarm in found.alarms:
        say(f"ALARM: {alarm}", "bold red")
    say(f"run directory: {found.folder}")
    say(f"page: {found.folder / PAGE}")


def _table(board: Leaderboard) -> Printed:
    metric = board.metric
    table = Printed()
    table.add_column("candidate")
    table.add_column(metric.axis if metric.unit else metric.words, justify="right")
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
