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
    """Data to use instead of the recipe's own: a file or folder in any known format."""
    split: str | None = None
    """Split to evaluate on: one split, several joined with a plus sign (validation+test), or all. Default: the test
    split of the recipe."""
    card: bool = True
    """If true, also check the evaluated rows and show their data card."""
    missing: bool = False
    """If true, also evaluate each task with every subset of its input streams, while the other streams are absent or
    filled."""
    out: Path | None = None
    """File for the page. Default: RUN/report.html. In that case the metrics are also written to RUN/metrics, unless
    --data is given."""


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
