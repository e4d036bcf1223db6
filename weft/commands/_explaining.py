"""Output of `weft explain`: its lines on the terminal and the sections of its page."""

import random
from collections.abc import Sequence
from pathlib import Path

from weft.commands._own_input import OwnInput, options
from weft.core.errors import WeftError
from weft.core.language import say
from weft.core.naming import plain
from weft.core.samples import Sample
from weft.core.text import counted
from weft.explain.decision import SimilarityDecision, decision_of
from weft.explain.deletion import Deletion
from weft.explain.method import Method
from weft.inference.given import given
from weft.report import html
from weft.report.explanations import Explained, explained_html, explained_legend
from weft.runs.dialogs import ranks, streams_asked
from weft.runs.explaining import deletion_of_rows, explain_rows, rows_with, similarities_of
from weft.runs.own_columns import on_new_files
from weft.runs.parts import open_split
from weft.runs.run import Run

Pair = tuple[str, str]


def of_own_input(run: Run, own: OwnInput, method: Method, head: str | None) -> list[html.Html]:
    """The section about the input that the user gives in options."""
    values = own.values(run, _reads(run, own, head))
    rows = given(values, run.modalities).samples
    (explained,) = explain_rows([run], rows, method, head, given=values)
    _print(explained)
    title = html.text(explained.said)
    return [html.section(title, explained_legend([explained]), explained_html(explained))]


def _reads(run: Run, own: OwnInput, head: str | None) -> tuple[str, ...]:
    """The streams that the explained decision reads. Raises WeftError if the input does not tell which it is."""
    if head is None and ranks(run):
        return streams_asked(run, head)
    decision = decision_of(run.model, run.learned, head)
    if not isinstance(decision, SimilarityDecision):
        return decision.reads
    pair = own.chosen(run, run.streams)
    if len(pair) != 2 < len(run.streams):
        known = ", ".join(options(run, run.streams).values())
        raise WeftError(
            f"got {counted(len(pair), 'input')}, expected two of {known}: this run has no heads, so the similarity "
            "of two inputs is explained"
        )
    return decision_of(run.model, run.learned, given=pair).reads


def drawn(run: Run, data: Path | None, split: str | None, most: int, seed: int) -> list[Sample]:
    """At most `most` rows of the split, sampled without replacement. data: other files than the recipe's."""
    recipe = run.recipe if data is None else on_new_files(run.recipe, data)
    dataset = open_split(recipe, split or recipe.data.test)
    rows = random.Random(seed).sample(range(len(dataset)), min(len(dataset), most))
    return [dataset[row] for row in rows]


def of_deletion(
    run: Run, rows: Sequence[Sample], method: Method, head: str | None
) -> list[html.Html]:
    """The section about the deletion test on these rows; none without rows."""
    if not rows:
        return []
    lines: list[str] = []
    pairs = similarities_of(run, head)
    for pair in pairs:
        if having := _shown(run, rows, pair, pairs):
            if pair and len(pairs) > 1:
                lines.append(say(_of_pair(pair)))
            lines += map(said_of, deletion_of_rows(run, having, method, head, pair))
    for line in lines:
        print(line)
    return [html.section("Deletion test", *map(html.paragraph, lines))]


def of_rows(run: Run, rows: Sequence[Sample], method: Method, head: str | None) -> list[html.Html]:
    """The sections about these rows, one for each pair of streams of a run without heads; none without rows."""
    sections: list[html.Html] = []
    pairs = similarities_of(run, head)
    for pair in pairs:
        if having := _shown(run, rows, pair, pairs):
            shown = explain_rows([run], having, method, head, pair)
            parts = [
                html.join(html.heading(f"{one.title}, {row.id}"), explained_html(one))
                for row, one in zip(having, shown, strict=True)
            ]
            title = _of_pair(pair) if pair and len(pairs) > 1 else "Random sample of the rows"
            sections.append(html.section(title, explained_legend(shown), *parts))
    return sections


def _shown(
    run: Run, rows: Sequence[Sample], pair: Pair | None, pairs: Sequence[Pair | None]
) -> Sequence[Sample]:
    """The rows that have both streams of the pair. If there is no other pair, all rows, so that none is left out."""
    return rows_with(run, rows, pair) if len(pairs) > 1 else rows


def _of_pair(pair: Pair) -> str:
    return f"Similarity of {plain(pair[0])} and {plain(pair[1])}"


def said_of(one: Deletion) -> str:
    """The result of a deletion test as one sentence."""
    marked, random, d = one.comparison.second, one.comparison.first, one.comparison.difference
    found = say(
        f"{one.stream}, {one.method}: deleting the marked parts {_change(one, marked.value)}, deleting random parts "
        f"{_change(one, random.value)}; difference {d.value:z.{one.digits}f} ({d.interval(one.digits)}), "
        f"{counted(one.rows, 'row')}"
    )
    return "; ".join(filter(None, (found, say(one.caution))))


def _change(one: Deletion, change: float) -> str:
    """A change of `one.comparison` in words."""
    if one.number is not None:
        return f"changes the number by {change:.{one.digits}f} {one.number.unit}".rstrip()
    fall = round(change, 1)
    return f"{'raises' if fall < 0 else 'lowers'} the score by {abs(fall):.1f} %"


def _print(explained: Explained) -> None:
    print(f"{explained.said}  {explained.score}".rstrip())
    for line in (*(part.line() for part in explained.parts), *explained.lines()):
        print(f"  {line}")
