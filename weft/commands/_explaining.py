"""What `weft explain` prints, and the sections of its page."""

import random

from weft.commands.explain import Arguments
from weft.explain.decision import decision_of
from weft.explain.deletion import Deletion
from weft.inference.given import given
from weft.report import html
from weft.report.explanations import Explained, explained_html, explained_legend
from weft.runs.explaining import deletion_of_rows, explain_rows
from weft.runs.own_columns import on_files
from weft.runs.parts import open_split
from weft.runs.run import Run


def of_own_input(run: Run, arguments: Arguments) -> list[html.Html]:
    """The section about the input that the options give."""
    reads = decision_of(run.model, run.learned, arguments.head).reads
    rows = given(arguments.values(run, reads), run.modalities).samples
    (explained,) = explain_rows([run], rows, arguments.method, arguments.head)
    _print(explained)
    title = html.text(explained.answer)
    return [html.section(title, explained_legend([explained]), explained_html(explained))]


def of_rows(run: Run, arguments: Arguments) -> list[html.Html]:
    """The sections about rows of the split, and about the deletion test."""
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
        sections.append(html.section("Rows, drawn at random", explained_legend(shown), *parts))
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
