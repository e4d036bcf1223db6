"""One section of the page for each task: its numbers, charts and examples."""

from collections.abc import Sequence

from weft.core.language import say
from weft.core.naming import plain
from weft.evaluation.metric import same_unit
from weft.inference.missing_table import MissingTable
from weft.inference.results import Queries, TaskResult
from weft.inference.wording import baseline_words, protocol_words
from weft.report import charts, html
from weft.report.diagnostics import confused_pairs, diagnostic_charts, slice_charts
from weft.report.drawings import animated, drawings, strip
from weft.report.embedding_map import embedding_map, neighbour_rows
from weft.report.examples import FIRST, Rows, examples, folded, worst_examples
from weft.report.html import Html
from weft.report.predictions import predictions, worst_predictions
from weft.report.records import Measured
from weft.report.summary import amount, headlines, sentence, strongest

RANK_BINS = ((1, 1), (2, 5), (6, 10), (11, 50), (51, 100), (101, 500), (501, None))
MOST_SCORES = 12
"""Maximum numbers in a chart; the table has all."""
OPEN_CHARTS = 4
"""Number of charts shown unfolded."""
MOST_ROWS = 200
FEW_TASKS = 2
"""With more tasks than this, fewer blocks are unfolded, and every task after the first shows only a sentence."""


def task_section(measured: Measured, number: int, tasks: int) -> html.Section:
    """Shows the numbers, then charts, map and examples. The details are folded except for the first task.

    number: index of the task, from 0. tasks: how many there are.
    """
    first, result = number == 0, measured.result
    title = measured.title[:1].upper() + measured.title[1:]
    parts: list[str] = [] if first else [html.paragraph(sentence(result))]
    tiles = html.tiles({_tile(result, n): amount(s) for n, s in headlines(result)})
    unfolded = first or tasks <= FEW_TASKS
    parts += [tiles] * unfolded
    below = [
        *[tiles] * (not unfolded),
        *_charts(result),
        *_map(measured, number),
        *_examples(measured, all_open=tasks <= FEW_TASKS),
        *_missing_streams(measured.without_streams),
        html.details("All numbers", *_numbers(result)),
        html.details("How it was measured", _protocol(result)),
    ]
    parts += below if first else [html.details("Charts, map, examples, all numbers", *below)]
    return html.section(title, *parts)


def _tile(result: TaskResult, name: str) -> str:
    score = result.metrics[name]
    found = strongest(result.baselines, name, score.metric)
    words = say(score.metric.words)
    beside = [say(score.interval_words)] if score.interval_words else []
    beside += [f"{say(baseline_words(found[0]))}: {score.metric.shown(found[1])}"] if found else []
    return html.text(f"{words} ({'; '.join(beside)})" if beside else words)


def _charts(result: TaskResult) -> list[Html]:
    """Returns the charts, the most informative first: over all rows, then by slice."""
    parts: list[Html] = diagnostic_charts(result.diagnostics)
    certain = [score for score in result.metrics.values() if score.interval]
    for axis, scores in same_unit(certain).items():
        if len(scores) > 1:
            rows = [(say(s.metric.words), s.value, s.low, s.high) for s in scores[:MOST_SCORES]]
            parts.append(charts.interval_chart(rows, "Scores with 95% intervals", axis))
    parts += [_rank_chart(way, found) for way, found in result.queries.items()]
    parts += slice_charts(result.diagnostics)
    rest = parts[OPEN_CHARTS:]
    more = html.details(f"{len(rest)} more: charts", html.row(*rest))
    return [html.row(*parts[:OPEN_CHARTS]), *([more] if rest else [])]


def _rank_chart(way: str, queries: Queries) -> Html:
    """Draws the share of queries in percent for each range of ranks of the best right answer."""
    bars = []
    for low, high in RANK_BINS:
        inside = (queries.rank >= low) & (queries.rank <= (high or queries.rank.max()))
        name = str(low) if low == high else f"{low} – {high}" if high else f"> {low - 1}"
        bars.append((name, 100 * float(inside.double().mean())))
    while bars and bars[-1][1] == 0:
        bars.pop()
    return charts.bar_chart(bars, f"Rank of the right answer, {plain(way)}", "percent of queries")


def _examples(measured: Measured, *, all_open: bool) -> list[Html]:
    """Shows each kind of example in a foldable block. all_open: also unfold the worst errors and their nearest rows,
    not only the first kind."""
    result, rows = measured.result, measured.rows
    first = FIRST if all_open else 1
    blocks: list[tuple[str, Sequence[Html]]] = [
        (f"Examples: {plain(way)}", examples(found, rows, first))
        for way, found in result.examples.items()
        if found
    ]
    if result.predictions:
        found = predictions(result.predictions, rows, measured.explained, measured.missing, first)
        blocks.append(("Random sample of the predictions", found))
    if result.drawings:
        parts = [*drawings(result.drawings, rows, first)]
        parts += [] if measured.strip is None else [strip(measured.strip)]
        parts += [] if measured.animation is None else [animated(measured.animation)]
        blocks.append(("Generated, for a random sample of the rows", parts))
    worst = [
        *worst_predictions(result.worst, rows),
        *(
            part
            for way, found in result.worst_examples.items()
            if found
            for part in (html.heading(plain(way)), *worst_examples(found, rows))
        ),
    ]
    opened = 1
    if worst:
        blocks.insert(opened, ("Worst errors", worst))
        opened += 1
    if measured.nearest and measured.training is not None:
        training = Rows(measured.training, measured.modalities)
        found = neighbour_rows(
            measured.nearest, rows, training, _streams(measured), measured.column
        )
        note = html.paragraph(_searched(measured.searched, len(measured.training)))
        shown = [note, *folded(found, 1, "nearest training rows")]
        of = "the worst errors" if worst else "the examples"
        blocks.insert(opened, (f"Nearest training rows of {of}", shown))
        opened += 1
    return [
        html.details(title, *parts, unfolded=number < (opened if all_open else 1))
        for number, (title, parts) in enumerate(blocks)
    ]


def _map(measured: Measured, number: int) -> list[Html]:
    if measured.map is None:
        return []
    drawn = embedding_map(measured.map, measured.rows, _streams(measured), f"map-{number}")
    return [html.details("Map of the embeddings", drawn, unfolded=True)]


def _missing_streams(table: MissingTable | None) -> list[Html]:
    """Shows the results with missing streams: a chart without fillers, and a table of all."""
    if table is None:
        return []
    of_all = [(label, scores[0]) for label, scores in table.rows()]
    drawn = [(label, s.value, s.low, s.high) for label, s in of_all if s is not None]
    axis = table.metric.axis
    chart = charts.interval_chart(drawn, "Scores with the remaining streams", axis)
    return [
        html.details(
            "Where streams are missing",
            chart,
            html.table(table.header, table.cells(), table.title),
            html.paragraph(table.note),
        )
    ]


def _searched(searched: int, rows: int) -> str:
    among = f"{searched:,} of {rows:,} training rows, sampled at random"
    return f"The rows that are most similar for the model, among {among if searched < rows else 'all training rows'}."


def _streams(measured: Measured) -> list[str]:
    """Returns the streams that are displayed for a row."""
    return list(measured.modalities)


def _numbers(result: TaskResult) -> list[Html]:
    baselines = list(result.baselines.values())
    rows: list[list[html.Cell]] = [
        [
            say(score.metric.words),
            score.shown,
            score.interval,
            score.metric.axis,
            *(score.metric.shown(b[name]) if name in b else None for b in baselines),
        ]
        for name, score in result.metrics.items()
    ]
    names = [baseline_words(name) for name in result.baselines]
    parts = [html.table(["metric", "value", "95% interval", "unit", *names], rows[:MOST_ROWS])]
    if len(rows) > MOST_ROWS:
        parts.append(html.paragraph(f"The first {MOST_ROWS} of {len(rows):,} numbers."))
    confusion = result.diagnostics.confusion
    if confusion is not None and confusion.pairs:
        parts.append(confused_pairs(confusion))
    return parts


def _protocol(result: TaskResult) -> Html:
    rows: list[list[html.Cell]] = [
        [say(protocol_words(name)), html.said(value)] for name, value in result.protocol.items()
    ]
    return html.table(["", "value"], rows)
