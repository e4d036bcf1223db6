"""A result on the terminal: leakage above the scores, chance beside each number."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from weft.evaluation.leakage import Leakage
from weft.inference.results import TaskResult


def print_result(result: TaskResult, console: Console | None = None) -> None:
    """Prints what was measured, what leaks, and the numbers with intervals and baselines."""
    console = console or Console()
    console.print(f"[bold]{result.task}[/bold]", highlight=False)
    for name, value in result.protocol.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        console.print(f"  {name.replace('_', ' ')}: {shown}", highlight=False, markup=False)
    _print_leakage(result.leakage, console)
    console.print(_table(result))


def _print_leakage(leakage: Leakage | None, console: Console) -> None:
    if leakage is None:
        console.print("leakage from training: not audited", style="yellow")
        return
    style = "green" if leakage.clean else "bold red" if leakage.shared else "yellow"
    console.print(leakage.verdict, style=style)
    for line in leakage.lines():
        console.print(f"  {line}", highlight=False, markup=False)


def _table(result: TaskResult) -> Table:
    table = Table()
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95% interval", justify="right")
    for baseline in result.baselines:
        table.add_column(baseline, justify="right")
    for name, estimate in result.metrics.items():
        table.add_row(
            name,
            f"{estimate.value:.1f}",
            estimate.interval(),
            *(_baseline(values, name) for values in result.baselines.values()),
        )
    return table


def _baseline(values: Mapping[str, float], name: str) -> str:
    if name not in values:
        return ""
    return f"{values[name]:.1f}" if values[name] >= 0.05 else f"{values[name]:.2g}"
