"""The leaderboard as an HTML page: the result in three sentences, then the numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weft.core.files import write_text
from weft.core.language import say
from weft.data.schema import Schema
from weft.evaluation.metric import Metric
from weft.fitting.importance import Importance
from weft.fitting.leaderboard import Leaderboard, difference_text
from weft.fitting.wording import compared, no_time, recommended
from weft.report import charts, html
from weft.report.summary import SOUND

if TYPE_CHECKING:
    from weft.fitting.result import FitResult

OPEN_ROWS = 10
"""Number of rows of a table that are open. The others are folded."""


def write_page(path: Path, found: "FitResult", schema: Schema) -> Path:
    """Writes the page and returns its path. schema: of the table; its columns are listed at the end of the page."""
    board = found.board
    sections = [_lead(found), _candidates(board)]
    if found.important:
        sections.append(_columns(found.important, found.explained, board.metric))
    sections.append(_data(schema))
    write_text(path, html.page(f"Predicting {board.target}", sections, board.judged))
    return path


def _lead(found: "FitResult") -> html.Html:
    """The result in three sentences, then each warning."""
    careful = [*no_time(found.left_out), *(f"{note.rstrip('.')}." for note in found.notes)]
    if found.bad:
        careful.append(f"{len(found.bad):,} rows cannot be read and are left out.")
    if found.alarms:
        careful.insert(
            0, "Be careful: a problem in a red box below may make the numbers worthless."
        )
    return html.join(
        html.lead(
            [
                ("What was found", " ".join(recommended(found.board, found.test)), False),
                ("Compared with others", " ".join(compared(found.board)), False),
                ("Be careful", " ".join(careful) or SOUND, bool(careful)),
            ]
        ),
        *(html.notice(alarm, warning=True) for alarm in found.alarms),
    )


def _candidates(board: Leaderboard) -> html.Html:
    metric = board.metric
    # Compared candidates come first and are never folded. Models of single columns follow.
    order = sorted(board.entries, key=lambda entry: entry.candidate.role != "compared")
    first = max(OPEN_ROWS, sum(entry.candidate.role == "compared" for entry in order))
    rows: list[list[html.Cell]] = [
        [
            say(entry.candidate.name),
            metric.shown(entry.estimate.value),
            entry.estimate.interval(metric.digits),
            say(difference_text(entry, metric)),
            *(m.shown(v) for m, v in zip(board.others, entry.others, strict=True)),
            round(entry.seconds, 1),
            round(entry.memory),
        ]
        for entry in order
    ]
    header = [
        "candidate",
        f"{say(metric.words)}, {metric.axis}",
        "95% interval",
        "from the best",
        *(one.words for one in board.others),
        "seconds",
        "memory of the process, MB",
    ]
    shown = [
        (say(e.candidate.name), e.estimate.value, e.estimate.low, e.estimate.high)
        for e in order[:first]
    ]
    return html.section(
        "Candidates",
        charts.interval_chart(shown, "Scores, with 95% intervals", metric.axis),
        html.folded_table(header, rows, first, f"{len(rows) - first} more: candidates"),
        html.paragraph(board.correction),
    )


def _data(schema: Schema) -> html.Html:
    table = schema.table()
    names = [column.name for column in table.columns]
    more = f"{len(table.rows) - OPEN_ROWS} more: columns"
    said = [*([table.note] if table.note else []), *map(say, schema.lines())]
    return html.section(
        "Data",
        html.folded_table(names, table.rows, OPEN_ROWS, more),
        *map(html.paragraph, said),
    )


def _columns(important: Sequence[Importance], explained: str, metric: Metric) -> html.Html:
    rows = [(one.column, one.loss.value, one.loss.low, one.loss.high) for one in important[:20]]
    return html.section(
        "Columns",
        html.paragraph(
            f"Permutation importance: how much worse {explained} gets when the values of a column are exchanged "
            "between groups. Measured on rows that it was not trained on."
        ),
        charts.interval_chart(rows, f"Loss of {metric.words}", metric.unit or "number", 0.0),
    )
