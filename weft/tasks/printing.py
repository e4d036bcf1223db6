"""Prints a result on the terminal: leakage above the scores, chance beside each number."""

from collections.abc import Sequence

from rich.console import Console

from weft.core.language import say
from weft.core.naming import plain
from weft.evaluation.leakage import Leakage
from weft.inference.diagnostics import Reliability, Slices, StreamWeight
from weft.inference.results import TaskResult
from weft.inference.wording import protocol_words

BELIEVED = "weight of each stream, mean over the recognised words:"


def print_result(result: TaskResult, console: Console | None = None) -> None:
    """Prints the protocol, the leakage, and the numbers with intervals and baselines."""
    console = console or Console()
    console.print(f"[bold]{result.task}[/bold]", highlight=False)
    for name, value in result.protocol.items():
        shown = f"{value:g}" if isinstance(value, float) else say(str(value))
        line = f"  {say(protocol_words(name))}: {shown}"
        console.print(line, highlight=False, markup=False)
    _print_leakage(result.leakage, console)
    table = result.table().text(console.width)
    console.print(table, highlight=False, markup=False, soft_wrap=True)
    _print_calibration(result.diagnostics.reliability, console)
    for one in result.diagnostics.slices:
        _print_slices(one, console)
    _print_weights(result.diagnostics.stream_weights, console)


def _print_calibration(found: Reliability | None, console: Console) -> None:
    """The expected calibration error, and what it refers to."""
    if found is not None:
        ece, of = found.ece, found.of
        interval = f" ({ece.interval})" if ece.interval else ""
        error = f"{ece.shown} {say(ece.metric.unit)}{interval}"
        line = say(f"expected calibration error of the probabilities, for {of}: {error}")
        console.print(line, highlight=False, markup=False)


def _print_slices(found: Slices, console: Console) -> None:
    """The metric by the values of a column, one line each."""
    name = say(found.slices[0].score.metric.words) if found.slices else ""
    console.print(f"{name}, {found.column}:", highlight=False, markup=False)
    for part in found.slices:
        score = part.score
        line = f"  {part.value}: {score.shown} {say(score.metric.unit)} ({score.interval}), {part.rows:,}"
        console.print(line, highlight=False, markup=False)


def _print_weights(found: Sequence[StreamWeight], console: Console) -> None:
    """The mean weight of each stream, one line each."""
    if found:
        console.print(say(BELIEVED), highlight=False, markup=False)
    for one in found:
        interval = f" ({one.percent.interval()})" if one.percent.interval() else ""
        line = f"  {say(plain(one.stream))}: {one.percent.value:.1f} %{interval}"
        console.print(line, highlight=False, markup=False)


def _print_leakage(leakage: Leakage | None, console: Console) -> None:
    if leakage is None:
        console.print(say("leakage from training: not audited"), style="yellow")
        return
    style = "green" if leakage.clean else "bold red" if leakage.shared else "yellow"
    console.print(say(leakage.verdict), style=style)
    for line in leakage.lines():
        console.print(f"  {say(line)}", highlight=False, markup=False)
