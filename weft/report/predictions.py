"""Predictions as pictures and words: inputs, answer, right answer, and explanation."""

from collections.abc import Mapping, Sequence

from weft.core.language import say
from weft.core.naming import plain
from weft.core.text import folded as folded_text
from weft.inference.results import Prediction
from weft.report import html
from weft.report.displays import figures, shown, words
from weft.report.examples import FIRST, Rows, folded
from weft.report.explanations import (
    Explained,
    evidence_pictures,
    evidence_words,
    explained_legend,
)
from weft.report.html import Html
from weft.report.recognised_words import recognised_words, words_legend

PICTURE_WIDTH = 160


def predictions(
    found: Sequence[Prediction],
    rows: Rows,
    explained: Mapping[int, Explained] | None = None,
    missing: str = "",
    first: int = FIRST,
) -> list[Html]:
    """Shows wrong and right predictions: the `first` of each, the others folded.

    explained: number of a prediction -> its explanation. missing: the reason if there are none, else empty.
    """
    known = explained or {}
    parts: list[Html] = [html.paragraph(missing)] if missing else []
    parts.append(explained_legend([known[number] for number in known]))
    parts.append(words_legend(found))
    for title, right in (("Wrong", False), ("Right", True), ("", None)):
        some = [
            _prediction(one, rows, known.get(number))
            for number, one in enumerate(found)
            if one.right is right
        ]
        if some and title:
            parts.append(html.heading(title))
        parts += folded(some, first, title.lower() or "predictions")
    return parts


def worst_predictions(found: Sequence[Prediction], rows: Rows) -> list[Html]:
    """Shows the worst errors; only the first one is unfolded."""
    shown = folded([_prediction(one, rows, None) for one in found], 1, "worst errors")
    return [words_legend(found), *shown] if shown else []


def _prediction(prediction: Prediction, rows: Rows, explained: Explained | None) -> Html:
    """Shows one row with its explanation. A text whose words are all marked is shown only once."""
    has = [i for i in prediction.inputs if rows.value(i.row, i.stream) is not None]
    lacks = [entry.stream for entry in prediction.inputs if entry not in has]
    displays = [rows.display(entry) for entry in has]
    pictures = [figures(display, "", PICTURE_WIDTH) for display in displays]
    marked_texts = {folded_text(part.display.text) for part in explained.parts} if explained else ()
    lines = [
        f"<div>{words(display)}</div>"
        for display in displays
        if display.words and folded_text(display.text) not in marked_texts
    ]
    marked = []
    if explained is not None:
        pictures += evidence_pictures(explained)
        marked = evidence_words(explained)
        texts = sum(bool(part.display.words) for part in explained.parts)
        lines += marked[:texts]
        marked = marked[texts:]
    lines += [
        f"<div><small>{say('lacking:')} {html.text(say(plain(stream)))}</small></div>"
        for stream in lacks
    ]
    return shown(pictures, [*lines, *_answer(prediction), *marked])


def _answer(prediction: Prediction) -> list[str]:
    """Returns the answer, the right answer, and the next most probable ones."""
    score = "" if prediction.score is None else f" <small>{prediction.score:.3f}</small>"
    sign = {True: '<span class="yes">✓</span> ', False: '<span class="no">✗</span> ', None: ""}
    said = recognised_words(prediction.words) if prediction.words else prediction.predicted
    lines = [
        f'<div>{sign[prediction.right]}<span class="answer">{html.text(said)}</span>{score}</div>'
    ]
    if not prediction.right:
        expected = html.text(" / ".join(prediction.expected))
        lines.append(f"<div>{say('expected:')} {expected}</div>")
    if prediction.others:
        others = ", ".join(f"{name} {value:.3f}" for name, value in prediction.others)
        lines.append(f"<div><small>{say('then')} {html.text(others)}</small></div>")
    return lines
