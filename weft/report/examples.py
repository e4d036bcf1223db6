"""Retrieved examples as pictures and captions, the right ones marked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from weft.data.formats import Dataset
from weft.report import html
from weft.report.html import Html
from weft.tasks.base import Answer, Example, Item, TaskResult

Shown = Path | bytes | np.ndarray | str
"""What an item is shown as: text, or a picture."""

QUERY_WIDTH = 200
ANSWER_WIDTH = 150
FRAME = "outline:3px solid var(--good);outline-offset:2px;border-radius:5px"
ROW = "display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;margin:.6rem 0 1.6rem;align-items:flex-start"


def example_sections(result: TaskResult, dataset: Dataset) -> list[Html]:
    """One section a direction: queries whose right answer came first, then others."""
    return [
        html.section(
            f"Examples: {way.replace('_', ' ')}",
            html.paragraph("Drawn at random, half of them from the queries found at rank 1."),
            *_grouped(examples, dataset),
        )
        for way, examples in result.examples.items()
        if examples
    ]


def _grouped(examples: Sequence[Example], dataset: Dataset) -> list[Html]:
    right = [example for example in examples if example.rank == 1]
    wrong = [example for example in examples if example.rank > 1]
    parts: list[Html] = []
    for title, some in (("Right answer first", right), ("Right answer not first", wrong)):
        if some:
            parts.append(html.heading(title))
            parts += [_example(example, dataset) for example in some]
    return parts


def _example(example: Example, dataset: Dataset) -> Html:
    query = _value(example.query, dataset)
    answers = [(answer, _answered(answer, dataset)) for answer in example.answers]
    rank = Html(f' <span class="subtitle">right answer at rank {example.rank:,}</span>')
    shown = html.join(_picture_answers(answers), _text_answers(answers), _missed(example, dataset))
    if isinstance(query, str):
        asked = Html(f"<p><strong>{html.text(query)}</strong>{rank}</p>")
        return Html(f'<div style="margin-bottom:1.6rem">{asked}{shown}</div>')
    picture = html.figure(query, dataset[example.query.row].id, QUERY_WIDTH)
    return Html(
        f'<div style="{ROW}">{picture}<div style="flex:1 1 20rem">{rank}{shown}</div></div>'
    )


def _picture_answers(answers: Sequence[tuple[Answer, Shown]]) -> Html:
    figures = [
        _framed(html.figure(value, f"{answer.score:.3f}", ANSWER_WIDTH), answer.right)
        for answer, value in answers
        if not isinstance(value, str)
    ]
    return html.grid(figures, columns=len(figures)) if figures else Html("")


def _text_answers(answers: Sequence[tuple[Answer, Shown]]) -> Html:
    lines = []
    for answer, value in answers:
        if isinstance(value, str):
            words = html.text(value)
            said = f"<strong>✓ {words}</strong>" if answer.right else words
            lines.append(f"<li>{said} <small>{answer.score:.3f}</small></li>")
    listed = f'<ol style="margin:.2rem 0;padding-left:1.4rem">{"".join(lines)}</ol>'
    return Html(listed if lines else "")


def _missed(example: Example, dataset: Dataset) -> Html:
    """What was right, from the query's own row, if none of the answers shown is."""
    first = example.answers[0].item
    if isinstance(first, str) or any(answer.right for answer in example.answers):
        return Html("")
    raw = dataset[example.query.row].items.get(first.stream)
    if isinstance(raw, str | list):
        texts = " / ".join([raw] if isinstance(raw, str) else raw)
        return Html(f"<p><small>Right would have been: {html.text(texts)}</small></p>")
    if raw is None:
        return Html("")
    picture = html.figure(raw, f"the right one, at rank {example.rank:,}", ANSWER_WIDTH)
    return _framed(picture, right=True)


def _framed(picture: Html, right: bool) -> Html:
    return Html(f'<div style="{FRAME}">{picture}</div>') if right else picture


def _value(item: Item, dataset: Dataset) -> Shown:
    """The raw value of an item; of a list, the one that its view names."""
    raw = dataset[item.row].items[item.stream]
    chosen: Shown = raw[item.view or 0] if isinstance(raw, list) else raw
    return chosen


def _answered(answer: Answer, dataset: Dataset) -> Shown:
    return answer.item if isinstance(answer.item, str) else _value(answer.item, dataset)
