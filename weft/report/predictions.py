"""Predictions as pictures and words: what was seen, what was answered, what would have been right."""

from collections.abc import Mapping, Sequence

from weft.inference.results import Prediction, TaskResult
from weft.report import html
from weft.report.displays import ROW, figures, words
from weft.report.examples import Rows
from weft.report.explanations import Explained, explained_html
from weft.report.html import Html

PICTURE_WIDTH = 220


def prediction_sections(
    result: TaskResult,
    rows: Rows,
    explained: Mapping[int, Explained] | None = None,
    missing: str = "",
) -> list[Html]:
    """A section of all predictions that the result keeps, or none.

    explained: number of a prediction -> what it rests on. missing: why there are none of these, or
    nothing.
    """
    if not result.predictions:
        return []
    parts = [html.paragraph(missing)] if missing else []
    parts += _grouped(result.predictions, rows, explained or {})
    return [html.section(f"Predictions: {result.task}", *parts)]


def _grouped(
    predictions: Sequence[Prediction], rows: Rows, explained: Mapping[int, Explained]
) -> list[Html]:
    parts: list[Html] = []
    for title, right in (("Right", True), ("Wrong", False), ("", None)):
        some = [n for n, one in enumerate(predictions) if one.right is right]
        if some and title:
            parts.append(html.heading(title))
        for number in some:
            parts.append(_prediction(predictions[number], rows))
            if number in explained:
                parts.append(explained_html(explained[number]))
    return parts


def _prediction(prediction: Prediction, rows: Rows) -> Html:
    has = [i for i in prediction.inputs if rows.dataset[i.row].items.get(i.stream) is not None]
    lacks = [entry.stream for entry in prediction.inputs if entry not in has]
    displays = [rows.display(entry) for entry in has]
    pictures = "".join(figures(display, "", PICTURE_WIDTH) for display in displays)
    lines = [f"<div>{words(display)}</div>" for display in displays if display.words]
    lines += [f"<div><small>no {html.text(stream)}</small></div>" for stream in lacks]
    score = "" if prediction.score is None else f" <small>{prediction.score:.3f}</small>"
    lines.append(f"<div><strong>{html.text(prediction.predicted)}</strong>{score}</div>")
    lines += [
        f"<div><small>{html.text(name)} {value:.3f}</small></div>"
        for name, value in prediction.others
    ]
    if not prediction.right:
        expected = html.text(" / ".join(prediction.expected))
        lines.append(f"<div><small>expected: {expected}</small></div>")
    told = f'<div style="flex:1 1 20rem">{"".join(lines)}</div>'
    return Html(f'<div style="{ROW}">{pictures}{told}</div>')
