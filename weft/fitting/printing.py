"""What `weft fit` found, on the terminal."""

from rich.console import Console
from rich.table import Table as Printed

from weft.core.language import say
from weft.fitting.leaderboard import Leaderboard, difference_text
from weft.fitting.result import PAGE, FitResult
from weft.fitting.wording import no_time, sentences

SHOWN, NAMED = 12, 5
"""Lines of the leaderboard, and rows that were left out, which are printed; the JSON has all."""


def print_result(found: FitResult, console: Console | None = None) -> None:
    """The leaderboard, what is recommended and why, what the columns are worth, and alarms."""
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
    console.print(_table(found.board))
    hidden = len(found.board.entries) - SHOWN
    if hidden > 0:
        tell(f"{hidden} more candidates are in leaderboard.json")
    tell(found.board.correction)
    for line in [*sentences(found.board, found.test), *no_time(found.left_out)]:
        tell(line)
    if len(found.important) > 1:
        metric = found.board.metric
        tell(f"what {found.explained} loses where a column is that of other rows ({metric.axis}):")
        for one in found.important[:NAMED]:
            interval = one.loss.interval(metric.digits)
            tell(f"  {one.column}: {one.loss.value:.{metric.digits}f} ({interval})")
    for alarm in found.alarms:
        tell(f"{say('ALARM')}: {say(alarm)}", "bold red")
    tell(f"run directory: {found.folder}")
    tell(f"page: {found.folder / PAGE}")


def _table(board: Leaderboard) -> Printed:
    metric = board.metric
    table = Printed()
    table.add_column(say("candidate"))
    table.add_column(say(metric.axis if metric.unit else metric.words), justify="right")
    table.add_column(say("95% interval"), justify="right")
    table.add_column(say("from the best"), justify="right")
    for one in board.others:
        table.add_column(say(one.words), justify="right")
    table.add_column(say("s"), justify="right")
    for entry in board.entries[:SHOWN]:
        table.add_row(
            say(entry.candidate.name),
            metric.shown(entry.estimate.value),
            entry.estimate.interval(metric.digits),
            say(difference_text(entry, metric)),
            *(m.shown(v) for m, v in zip(board.others, entry.others, strict=True)),
            f"{entry.seconds:.1f}",
        )
    return table
