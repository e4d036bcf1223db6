"""A result on the terminal: leakage above the scores, chance beside each number."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from weft.core.language import say
from weft.evaluation.leakage import Leakage
from weft.inference.diagnostics import Slices
from weft.inference.results import TaskResult
from weft.inference.wording import protocol_words

LOWER = " ↓"
"""Stands behind the unit where less is better."""
UNLIMITED = 10_000
"""Cells of a terminal in which everything fits."""


def print_result(result: TaskResult, console: Console | None = None) -> None:
    """Prints what was measured, what leaks, and the numbers with intervals and baselines."""
    console = console or Console()
    console.print(f"[bold]{result.task}[/bold]", highlight=False)
    for name, value in result.protocol.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        line = f"  {say(protocol_words(name))}: {shown}"
        console.print(line, highlight=False, markup=False)
    _print_leakage(result.leakage, console)
    table = _table(result)
    needed = Measurement.get(console, console.options.update(width=UNLIMITED), table).minimum
    if needed > console.width:
        _print_lines(result, console)
    else:
        console.print(table)
    for one in result.diagnostics.slices:
        _print_slices(one, console)


def _print_slices(found: Slices, console: Console) -> None:
    """The metric by the values of a column, a line each."""
    name = say(found.slices[0].score.metric.words) if found.slices else ""
    console.print(f"{name}, {found.column}:", highlight=False, markup=False)
    for part in found.slices:
        score = part.score
        line = (
            f"  {part.value}: {score.shown} {score.metric.unit} ({score.interval}), {part.rows:,}"
        )
        console.print(line, highlight=False, markup=False)


def _print_leakage(leakage: Leakage | None, console: Console) -> None:
    if leakage is None:
        console.print(say("leakage from training: not audited"), style="yellow")
        return
    style = "green" if leakage.clean else "bold red" if leakage.shared else "yellow"
    console.print(say(leakage.verdict), style=style)
    for line in leakage.lines():
        console.print(f"  {say(line)}", highlight=False, markup=False)


def _print_lines(result: TaskResult, console: Console) -> None:
    """Each metric on a line of its own, below it the number with its interval, and the baselines."""
    for name, score in result.metrics.items():
        unit = score.metric.unit + (LOWER if score.metric.better == "lower" else "")
        lines = [name, f"  {score.shown} {unit} ({score.interval})"]
        lines += [
            f"  {say(baseline)} {score.metric.shown(values[name])}"
            for baseline, values in result.baselines.items()
            if name in values
        ]
        for line in lines:
            console.print(line, highlight=False, markup=False, overflow="fold")


def _table(result: TaskResult) -> Table:
    lower = any(score.metric.better == "lower" for score in result.metrics.values())
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption=f"{LOWER.strip()} {say('lower is better')}" if lower else None,
    )
    # The names of baselines are wrapped between words where the terminal is narrow.
    table.add_column(say("metric"), no_wrap=True)
    table.add_column(say("value"), justify="right", no_wrap=True)
    table.add_column(say("95% interval"), justify="right", no_wrap=True)
    table.add_column(say("unit"))
    for baseline in result.baselines:
        table.add_column(escape(say(baseline)), justify="right")
    for name, score in result.metrics.items():
        table.add_row(
            escape(name),  # names of classes may have brackets, which are no markup here
            score.shown,
            score.interval,
            score.metric.unit + (LOWER if score.metric.better == "lower" else ""),
            *(
                score.metric.shown(values[name]) if name in values else ""
                for values in result.baselines.values()
            ),
        )
    return table
