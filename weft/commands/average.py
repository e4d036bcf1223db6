"""Average the weights of a fine-tuned run with its starting weights (WiSE-FT)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import Trusting, parse
from weft.core.language import say
from weft.core.tables import TableColumn, TextTable


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run, and where the averaged one is written."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory of a model that was fine-tuned from a pretrained one, or from another run."""
    out: Path
    """New run directory."""
    alphas: tuple[float, ...] = ()
    """Shares of the fine-tuned weights to try. Default: 0, 0.1, ... 1."""


def main(words: list[str]) -> None:
    """Prints the validation score for each alpha, and writes a run with the best alpha."""
    arguments = parse(Arguments, words, "weft average")
    from weft.runs.averaging import ALPHAS, average
    from weft.runs.reporting import CURVE
    from weft.runs.run import load

    run = load(arguments.run, trust=arguments.trust)
    curve = average(run, arguments.out, arguments.alphas or ALPHAS)
    rows = []
    for alpha, score in curve.points.items():
        marks = {0.0: "as it started", 1.0: "fine-tuned"}
        chosen = "chosen" if alpha == curve.best else ""
        said = ", ".join(say(word) for word in (marks.get(alpha, ""), chosen) if word)
        rows.append((f"{alpha:g}", score.shown, score.interval, said))
    columns = [TableColumn(say(name), right=True) for name in ("alpha", "value", "95% interval")]
    title = say(f"{curve.name} ({curve.metric.axis}) on the validation split")
    print(TextTable([*columns, TableColumn()], rows, title).text())
    print(say(f"run directory: {arguments.out} (the curve: {arguments.out / CURVE})"))
