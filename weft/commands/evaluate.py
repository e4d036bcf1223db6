"""Evaluate a run, or an ensemble of runs, on a split: metrics with intervals, chance level, leakage audit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_data import OwnData
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.files import check_writable
from weft.core.language import say


@dataclass(frozen=True)
class Arguments(OwnData, Trusting):
    """The runs, the task and the rows."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run directories; several are an ensemble, whose similarities are averaged."""
    task: str | None = None
    """Task to evaluate, one that `weft list tasks` shows; the recipe's first if not given, or one that fits the run."""
    data: Path | None = None
    """Other rows than those of the recipe: a file or folder in any known format."""
    split: str | None = None
    """Split to evaluate on, or all; the recipe's test split if not given."""
    json: Path | None = None
    """File for the result; RUN/metrics/TASK-SPLIT.json of a single run if not given."""
    slices: tuple[str, ...] = ()
    """Columns by whose values the score is given, too, instead of those of the recipe."""
    missing: bool = False
    """Also measure every set of the streams that the task reads, the others absent or filled."""
    audit: bool = True
    """Search the training rows for copies of the evaluated rows; reads both once."""


def main(words: list[str]) -> None:
    """Prints the result and writes it as JSON."""
    arguments = parse(Arguments, words, "weft evaluate")
    if not arguments.runs:
        raise WeftError("weft evaluate needs one run directory or more")
    from weft.inference.missing_table import path_beside
    from weft.runs.measure import METRICS, first_task, measure, save_result
    from weft.runs.run import load
    from weft.tasks.printing import print_result

    own = len(arguments.runs) == 1 and arguments.data is None
    if arguments.json is not None:
        check_writable(arguments.json)
    elif own:
        check_writable(arguments.runs[0] / METRICS / "file", "--json FILE names another place")
    runs = [load(folder, trust=arguments.trust) for folder in arguments.runs]
    task = arguments.task or first_task(runs[0])
    found = measure(
        runs,
        task,
        data=arguments.data,
        said=arguments.said(arguments.data),
        split=arguments.split,
        audited=arguments.audit,
        slices=arguments.slices,
    )
    print_result(found.result)
    table = None
    if arguments.missing:
        from weft.runs.missing import measure_missing

        table = measure_missing(found, task)
        print(table.table().text())
    path = arguments.json
    if path is None and own:
        split = found.result.protocol["split"]
        path = runs[0].folder / METRICS / f"{task}-{split}.json"
    if path is not None:
        save_result(found.result, path)
        print(say(f"written: {path}"))
        if table is not None:
            beside = path_beside(path)
            table.save(beside)
            print(say(f"written: {beside}"))
