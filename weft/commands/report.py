"""Evaluate a run and write its report: one self-contained HTML page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._outputs import check_kept, check_output, files_of
from weft.commands._parsing import Trusting, parse


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run, the rows and the report's file."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    data: Path | None = None
    """Other rows than those of the recipe: a file or folder in any known format."""
    split: str | None = None
    """Split to evaluate on, several with a plus between them (validation+test), or all; the recipe's test split if not
    given."""
    card: bool = True
    """Also check the evaluated rows and show their data card."""
    missing: bool = False
    """Also measure every set of the streams that each task reads, the others absent or filled."""
    out: Path | None = None
    """File for the page. If not given, the page is RUN/report.html and the metrics are written to
    RUN/metrics, unless --data is given."""


def main(words: list[str]) -> None:
    """Writes the page and prints its path."""
    arguments = parse(Arguments, words, "weft report")
    from weft.runs.reporting import REPORT
    from weft.runs.run import load

    path = arguments.out or arguments.run / REPORT
    check_output(
        path,
        [arguments.data],
        "" if arguments.out else "--out FILE names another place",
    )
    run = load(arguments.run, trust=arguments.trust)
    check_kept(path, files_of(run.recipe))
    page = run.report(
        arguments.out,
        data=arguments.data,
        split=arguments.split,
        card=arguments.card,
        missing=arguments.missing,
    )
    print(page)
