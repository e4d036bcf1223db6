"""Retrieved examples as pictures and captions, the right ones marked."""

from collections.abc import Sequence
from typing import Any

from weft.core.media import Alternatives, Media
from weft.data.formats import Dataset
from weft.inference.member import Item
from weft.inference.results import Answer, Example, TaskResult
from weft.report import html
from weft.report.html import Html

Shown = Media | str
"""What an item is shown as."""

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
    query = shown_value(example.query, dataset)
    answers = [(answer, _answered(answer, dataset)) for answer in example.answers]
    rank = Html(f'<div class="subtitle">right answer at rank {example.rank:,}</div>')
    missed = _missed(example, dataset)
    pictures = [(a, value) for a, value in answers if not isinstance(value, str)]
    if pictures:
        shown = _picture_answers(pictures, missed, example.rank)
    else:
        shown = _text_answers([(a, str(value)) for a, value in answers], missed)
    if isinstance(query, str):
        asked = Html(f"<div><strong>{html.text(query)}</strong></div>{rank}")
        return Html(f'<div style="margin:.6rem 0 1.6rem">{asked}{shown}</div>')
    picture = html.figure(query, dataset[example.query.row].id, QUERY_WIDTH)
    return Html(
        f'<div style="{ROW}">{picture}<div style="flex:1 1 20rem">{rank}{shown}</div></div>'
    )


def _picture_answers(
    answers: Sequence[tuple[Answer, Media]], missed: Media | Alternatives | None, rank: int
) -> Html:
    figures = [
        _framed(html.figure(value, f"{answer.score:.3f}", ANSWER_WIDTH), answer.right)
        for answer, value in answers
    ]
    if isinstance(missed, Media):
        figures.append(_framed(html.figure(missed, f"right, rank {rank:,}", ANSWER_WIDTH), True))
    return html.grid(figures, columns=len(figures))


def _text_answers(
    answers: Sequence[tuple[Answer, str]], missed: Media | Alternatives | None
) -> Html:
    lines = []
    for answer, value in answers:
        words = html.text(value)
        said = f"<strong>✓ {words}</strong>" if answer.right else words
        lines.append(f"<li>{said} <small>{answer.score:.3f}</small></li>")
    listed = f'<ol style="margin:.2rem 0;padding-left:1.4rem">{"".join(lines)}</ol>'
    if isinstance(missed, Alternatives):
        right = html.text(" / ".join(missed))
        return Html(f"{listed}<p><small>Right would have been: {right}</small></p>")
    return Html(listed)


def _missed(example: Example, dataset: Dataset) -> Media | Alternatives | None:
    """What was right, from the query's own row, if none of the answers shown is."""
    first = example.answers[0].item
    if isinstance(first, str) or any(answer.right for answer in example.answers):
        return None
    raw = dataset[example.query.row].items.get(first.stream)
    if isinstance(raw, Alternatives):
        return raw
    shown = _shown(raw)
    return Alternatives([shown]) if isinstance(shown, str) else shown


def _framed(picture: Html, right: bool) -> Html:
    return Html(f'<div style="{FRAME}">{picture}</div>') if right else picture


def shown_value(item: Item, dataset: Dataset) -> Shown:
    """What an item is shown as; of several, the one that its view names."""
    raw = dataset[item.row].items.get(item.stream)
    return _shown(raw[item.view or 0] if isinstance(raw, Alternatives) else raw)


def _shown(raw: Any) -> Shown:
    """A picture as it is, anything else as text: a report knows only those two."""
    if isinstance(raw, str) or (isinstance(raw, Media) and raw.kind in ("image", "file")):
        return raw
    return " ".join(map(str, raw)) if isinstance(raw, list | tuple) else str(raw)


def _answered(answer: Answer, dataset: Dataset) -> Shown:
    return answer.item if isinstance(answer.item, str) else shown_value(answer.item, dataset)
