"""Train several recipes with the same data, budget and seeds, and compare them in pairs.

weft compare RECIPE RECIPE ... [--data PATH] [--budget "500 steps" or "3 minutes"] [--seeds 0 1 2]

A RECIPE is a name that `weft list recipes` shows, or a YAML file that changes settings of one. Several with a plus
between them, such as vilt.yaml+questions.yaml, are trained one after another, each from the weights of the one
before: pretraining and fine-tuning, within the same budget.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from weft.commands._parsing import parse
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.language import say
from weft.core.tables import TableColumn, TextTable

if TYPE_CHECKING:
    from weft.report.comparison import ComparisonReport
    from weft.runs.compare import Contest
    from weft.runs.recipe import Recipe

SHOWN = 6
"""Number of columns on the terminal. The HTML page has all."""


@dataclass(frozen=True)
class Arguments:
    """The recipes, the data and the budget of the comparison."""

    recipes: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Two or more recipes, by name or as YAML files. With PRETRAINING+RECIPE, the second recipe starts from the weights
    of the first."""
    data: Path | None = None
    """Data for all recipes instead of their own: a file or folder in any known format. Pretraining recipes keep their
    own data."""
    budget: str = "500 steps"
    """Length of each run, in steps or minutes. Minutes are converted into steps by timing the first steps."""
    pretraining: float = 0.5
    """Share of the budget that PRETRAINING+RECIPE spends on pretraining."""
    seeds: tuple[int, ...] = (0,)
    """Random seeds. Each recipe and its pretraining are trained once per seed, and the means over seeds are compared."""
    metric: str | None = None
    """Metric to compare, as TASK/METRIC. Default: the first metric of the first task."""
    split: str | None = None
    """Split to evaluate on. Default: the test split of the recipes."""
    judge: tuple[Path, ...] = ()
    """Judge runs that were trained on real data, for recipes that generate. --metric TASK/JUDGE/METRIC compares what the
    judge JUDGE, the name of its folder, finds in the generated values."""
    out: Path = Path("runs/compare")
    """Folder for the runs, comparison.json and report.html. Finished runs in this folder are used again."""


def main(words: list[str]) -> None:
    """Prints the table and writes it as JSON and as an HTML page."""
    arguments = parse(Arguments, words, "weft compare")
    if len(arguments.recipes) < 2:
        raise WeftError("weft compare needs two recipes or more")
    from weft.report.comparison import render
    from weft.runs.budget import Budget
    from weft.runs.compare import contest
    from weft.runs.run import load

    entries = dict(_entry(word, arguments.data) for word in arguments.recipes)
    if len(entries) < len(arguments.recipes):
        raise WeftError(f"recipes are {', '.join(arguments.recipes)}, expected each name once")
    found = contest(
        entries,
        arguments.out,
        budget=Budget.parse(arguments.budget, arguments.pretraining),
        seeds=arguments.seeds,
        metric=arguments.metric,
        split=arguments.split,
        judges=[load(folder) for folder in arguments.judge],
    )
    page = _report(found, arguments)
    _print(found, page)
    write_text(arguments.out / "comparison.json", json.dumps(_json(found), indent=2) + "\n")
    write_text(arguments.out / "report.html", render(page))
    print(say(f"report: {arguments.out / 'report.html'}"))


def _entry(word: str, data: Path | None) -> tuple[str, "list[Recipe]"]:
    """The name of a word and its recipes. If there are several, only the last one reads `data`."""
    from weft.commands._starting_point import starting_point
    from weft.runs.own_columns import on_files

    *before, last = [starting_point(one) for one in word.split("+")]
    recipe = last.recipe(data=data)
    recipe = recipe if data is None else on_files(recipe, data)
    return "+".join(point.name for point in (*before, last)), [
        *(p.recipe() for p in before),
        recipe,
    ]


def _report(found: "Contest", arguments: Arguments) -> "ComparisonReport":
    from weft.report.comparison import ComparisonReport, System
    from weft.report.records import read_log

    return ComparisonReport(
        title=f"Comparison: {found.task}",
        task=found.task,
        metric=found.metric,
        systems=[
            System(
                name=one.name,
                estimate=one.estimate,
                by_seed=one.metrics,
                parameters=one.parameters,
                steps=one.steps,
                seconds=_sum(one.seconds),
                difference=found.against_best.get(one.name),
                log=read_log(one.runs[0]),
            )
            for one in found.contestants
        ],
        baselines=found.contestants[0].baselines,
        facts={
            "data": "the recipes' own" if arguments.data is None else str(arguments.data),
            "split": found.split,
            "rows": len(found.contestants[0].values.groups),
            "budget of a run": found.budget,
            "seeds": ", ".join(map(str, found.seeds)),
        },
        correction=found.correction,
    )


def _print(found: "Contest", page: "ComparisonReport") -> None:
    from weft.report.comparison import HEADER, cautions, row

    metric = found.metric
    baselines = "".join(f"; {say(name)} {metric.shown(v)}" for name, v in page.baselines.items())
    title = f"{found.task}/{metric.name} ({metric.axis}), {found.split}{baselines}"
    columns = [TableColumn(say(name), right=bool(n)) for n, name in enumerate(HEADER[:SHOWN])]
    rows = [[str(cell) for cell in row(system, metric)[:SHOWN]] for system in page.systems]
    print(TextTable(columns, rows, title).text())
    for line in (found.correction, *cautions(page)):
        print(say(line))


def _sum(seconds: Sequence[float | None]) -> float | None:
    """The sum in seconds; None if one is None, as for a run that this call did not train."""
    known = [one for one in seconds if one is not None]
    return sum(known) if len(known) == len(seconds) else None


def _json(found: "Contest") -> dict[str, object]:
    return {
        "task": found.task,
        "metric": found.metric.name,
        **found.metric.to_json(),
        "split": found.split,
        "budget": found.budget,
        "seeds": list(found.seeds),
        "systems": [
            {
                "name": one.name,
                "runs": [str(run) for run in one.runs],
                "steps": one.steps,
                "parameters": one.parameters,
                "seconds": list(one.seconds),
                "by_seed": list(one.metrics),
                **one.estimate.to_json(),
                "against_best": None
                if one.name not in found.against_best
                else {
                    **found.against_best[one.name].difference.to_json(),
                    "p_value": found.against_best[one.name].p_value,
                },
            }
            for one in found.contestants
        ],
        "correction": found.correction,
        "baselines": dict(found.contestants[0].baselines),
    }
