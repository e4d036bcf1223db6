"""The leaderboard as a page: what was found in three sentences, then the numbers."""

from collections.abc import Sequence
from pathlib import Path

from weft.core.files import write_text
from weft.evaluation.metric import Metric, Score
from weft.fitting.importance import Importance
from weft.fitting.leaderboard import Leaderboard, difference_text
from weft.report import charts, html


def write_page(
    path: Path,
    board: Leaderboard,
    *,
    test: Score | None = None,
    alarms: Sequence[str] = (),
    notes: Sequence[str] = (),
    important: Sequence[Importance] = (),
    explained: str = "",
    schema: str = "",
) -> Path:
    """explained: the candidate whose columns are `important`. schema: the columns, as they are printed."""
    sections = [
        html.section(
            "What was found",
            *(html.paragraph(line) for line in sentences(board, test)),
            *(html.notice(alarm, warning=True) for alarm in alarms),
            *(html.notice(note) for note in notes),
        ),
        _candidates(board),
    ]
    if important:
        sections.append(_columns(important, explained, board.metric))
    if schema:
        sections.append(html.section("Data", html.code(schema)))
    write_text(path, html.page(f"Predicting {board.target}", sections, board.judged))
    return path


def sentences(board: Leaderboard, test: Score | None = None) -> list[str]:
    """What a reader must know, in a few sentences."""
    chosen, best = board.recommended, board.entries[0]
    score = Score(board.metric, chosen.estimate)
    found = [
        f"Recommended is {chosen.candidate.name}: {board.metric.words} {score.shown} {board.metric.unit} "
        f"(95% interval {score.interval})."
    ]
    if chosen is not best:
        found.append(
            f"{best.candidate.name} has the best number, {board.metric.shown(best.estimate.value)}, but the data do "
            "not tell the two apart: the simpler one is recommended."
        )
    constant = next(e for e in board.entries if e.candidate.model == "constant")
    found.append(
        f"Without looking at any column ({constant.candidate.name}) one gets "
        f"{board.metric.shown(constant.estimate.value)} {board.metric.unit}".rstrip()
        + "."
    )
    if test is not None:
        found.append(
            f"On the test rows, which nothing was chosen by, the recommended model has {test.shown} "
            f"{test.metric.unit} ({test.interval})."
        )
    return found


def _candidates(board: Leaderboard) -> html.Html:
    metric = board.metric
    rows: list[list[html.Cell]] = [
        [
            entry.candidate.name,
            metric.shown(entry.estimate.value),
            entry.estimate.interval(metric.digits),
            difference_text(entry, metric),
            board.second.shown(entry.second),
            round(entry.seconds, 1),
            round(entry.memory),
        ]
        for entry in board.entries
    ]
    header = [
        "candidate",
        f"{metric.words}, {metric.axis}",
        "95% interval",
        "from the best",
        board.second.words,
        "seconds",
        "memory, MB",
    ]
    shown = [
        (e.candidate.name, e.estimate.value, e.estimate.low, e.estimate.high)
        for e in board.entries[:20]
    ]
    return html.section(
        "Candidates",
        charts.interval_chart(shown, "Scores, with 95% intervals", metric.axis),
        html.table(header, rows),
        html.paragraph(board.correction),
    )


def _columns(important: Sequence[Importance], explained: str, metric: Metric) -> html.Html:
    rows = [(one.column, one.loss.value, one.loss.low, one.loss.high) for one in important[:20]]
    return html.section(
        "Columns",
        html.paragraph(
            f"How much worse {explained} gets where a column is that of other groups (permutation importance), on "
            "rows that it was not trained on."
        ),
        charts.interval_chart(rows, f"Loss of {metric.words}", metric.unit or "number", 0.0),
    )
