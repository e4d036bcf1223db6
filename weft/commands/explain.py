"""Show which parts of the input a run's answers depend on, for your own input or for rows of a split.

weft explain RUN --image FILE --text "..."      explains the answer for this input
weft explain RUN [--rows N] [--deletion N]      explains rows of a split, and runs the deletion test
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_input import OwnInput
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.files import check_writable, write_text
from weft.explain.decision import decision_of
from weft.explain.deletion import Deletion
from weft.explain.explanation import Method
from weft.inference.given import given
from weft.report import html
from weft.report.explanations import Explained, explained_html
from weft.runs.explaining import deletion_of_rows, explain_rows
from weft.runs.parts import open_split
from weft.runs.run import Run, load, on_files


@dataclass(frozen=True)
class Arguments(OwnInput, Trusting):
    """The run, the input and the method of explanation."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    head: str | None = None
    """Head whose decision is explained; the first if not given. In a model without heads the similarity of
    picture and text is explained."""
    method: Method = "auto"
    """relevance: gradient x attention; rollout: attention alone; occlusion: parts are deleted one by one,
    works for any model; auto: relevance for streams read by attention, occlusion for the others."""
    rows: int = 8
    """Number of rows of the split to explain, drawn at random, if no input is given."""
    deletion: int = 100
    """Number of rows in the deletion test; 0 skips the test."""
    data: Path | None = None
    """Other rows than those of the recipe: a file or folder in any known format."""
    split: str | None = None
    """Split of the rows; the recipe's test split if not given."""
    seed: int = 0
    """Seed with which the rows are drawn."""
    out: Path | None = None
    """File for the HTML page; RUN/explanations.html if not given."""


def main(words: list[str]) -> None:
    """Prints the most important parts of each input, and writes a page with pictures."""
    arguments = parse(Arguments, words, "weft explain")
    if arguments.rows < 0 or arguments.deletion < 0:
        raise WeftError("--rows and --deletion are numbers of rows, expected 0 or more")
    path = arguments.out or arguments.run / "explanations.html"
    check_writable(path, "" if arguments.out else "--out FILE names another place")
    run = load(arguments.run, trust=arguments.trust)
    own = arguments.given
    sections = _of_own_input(run, arguments) if own else _of_rows(run, arguments)
    write_text(path, html.page(f"Explanations: {arguments.run.resolve().name}", sections))
    print(f"page: {path}")


def _of_own_input(run: Run, arguments: Arguments) -> list[html.Html]:
    reads = decision_of(run.model, run.learned, arguments.head).reads
    rows = given(arguments.values(run, reads), run.modalities).samples
    (explained,) = explain_rows([run], rows, arguments.method, arguments.head)
    _print(explained)
    return [html.section(explained.answer, explained_html(explained))]


def _of_rows(run: Run, arguments: Arguments) -> list[html.Html]:
    recipe = run.recipe if arguments.data is None else on_files(run.recipe, arguments.data)
    dataset = open_split(recipe, arguments.split or recipe.data.test)
    drawn = random.Random(arguments.seed).sample(
        range(len(dataset)), min(len(dataset), max(arguments.rows, arguments.deletion))
    )
    sections: list[html.Html] = []
    if arguments.deletion:
        some = [dataset[row] for row in drawn[: arguments.deletion]]
        found = deletion_of_rows(run, some, arguments.method, arguments.head)
        for one in found:
            print(_said(one))
        sections.append(
            html.section("Deletion test", *(html.paragraph(_said(one)) for one in found))
        )
    if arguments.rows:
        rows = [dataset[row] for row in drawn[: arguments.rows]]
        shown = explain_rows([run], rows, arguments.method, arguments.head)
        parts = [
            html.join(html.heading(f"{one.title}, {row.id}"), explained_html(one))
            for row, one in zip(rows, shown, strict=True)
        ]
        sections.append(html.section("Rows, drawn at random", *parts))
    return sections


def _said(one: Deletion) -> str:
    """The result of a deletion test as one sentence."""
    c = one.comparison
    d = c.difference
    return (
        f"{one.stream}, {one.method}: deleting what is marked costs {c.second.value:.1f} % of the score, "
        f"at random {c.first.value:.1f} %; difference {d.value:.1f} ({d.interval()}), "
        f"{one.rows} rows{one.caution and f'; {one.caution}'}"
    )


def _print(explained: Explained) -> None:
    print(f"{explained.answer}  {explained.score}".rstrip())
    for part in explained.parts:
        strongest = (f"{name} {weight:.2f}" for name, weight in part.display.strongest(5))
        print(f"  {part.stream} ({part.method}): {', '.join(strongest)}")
    for line in explained.lines():
        print(f"  {line}")
