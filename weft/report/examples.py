"""Retrieved examples as pictures and captions, the right ones marked."""

from collections.abc import Mapping, Sequence

from weft.core.display import Display, Word
from weft.core.interfaces import Modality
from weft.core.media import Alternatives
from weft.data.formats import Dataset
from weft.inference.member import Entry
from weft.inference.results import Answer, Example, TaskResult
from weft.modalities.parts import shown_by
from weft.report import html
from weft.report.displays import ROW, figures, words
from weft.report.html import Html

QUERY_WIDTH = 200
ANSWER_WIDTH = 150
FRAME = "outline:3px solid var(--good);outline-offset:2px;border-radius:5px"


class Rows:
    """The rows of a data set, each value as its modality shows it."""

    def __init__(self, dataset: Dataset, modalities: Mapping[str, Modality]) -> None:
        self.dataset = dataset
        self._modalities = modalities

    def display(self, entry: Entry | str) -> Display:
        """An entry of the data set, of several alternatives the one that it names; or a label."""
        if isinstance(entry, str):
            return Display(words=(Word(entry),))
        raw = self.dataset[entry.row].items.get(entry.stream)
        if isinstance(raw, Alternatives):
            raw = raw[entry.alternative or 0]
        return shown_by(self._modalities.get(entry.stream)).show(raw)

    def all_of(self, row: int, stream: str) -> list[Display]:
        """Every alternative of the row's stream; nothing where it lacks the stream."""
        raw = self.dataset[row].items.get(stream)
        values = raw if isinstance(raw, Alternatives) else () if raw is None else (raw,)
        return [shown_by(self._modalities.get(stream)).show(value) for value in values]


def example_sections(result: TaskResult, rows: Rows) -> list[Html]:
    """One section a direction: queries whose right answer came first, then others."""
    return [
        html.section(
            f"Examples: {way.replace('_', ' ')}",
            html.paragraph("Drawn at random, half of them from the queries found at rank 1."),
            *_grouped(examples, rows),
        )
        for way, examples in result.examples.items()
        if examples
    ]


def _grouped(examples: Sequence[Example], rows: Rows) -> list[Html]:
    right = [example for example in examples if example.rank == 1]
    wrong = [example for example in examples if example.rank > 1]
    parts: list[Html] = []
    for title, some in (("Right answer first", right), ("Right answer not first", wrong)):
        if some:
            parts.append(html.heading(title))
            parts += [_example(example, rows) for example in some]
    return parts


def _example(example: Example, rows: Rows) -> Html:
    query = rows.display(example.query)
    answers = [(answer, rows.display(answer.entry)) for answer in example.answers]
    rank = Html(f'<div class="subtitle">right answer at rank {example.rank:,}</div>')
    missed = _missed(example, rows)
    drawn = any(display.pictures for _, display in answers)
    shown = (
        _drawn_answers(answers, missed, example.rank) if drawn else _listed_answers(answers, missed)
    )
    asked = Html(f"<div><strong>{words(query)}</strong></div>{rank}" if query.words else rank)
    if not query.pictures:
        return Html(f'<div style="margin:.6rem 0 1.6rem">{asked}{shown}</div>')
    pictures = figures(query, rows.dataset[example.query.row].id, QUERY_WIDTH)
    return Html(
        f'<div style="{ROW}">{pictures}<div style="flex:1 1 20rem">{asked}{shown}</div></div>'
    )


def _drawn_answers(
    answers: Sequence[tuple[Answer, Display]], missed: Sequence[Display], rank: int
) -> Html:
    shown = [
        _framed(_drawn(display, f"{answer.score:.3f}"), answer.right) for answer, display in answers
    ]
    shown += [_framed(_drawn(display, f"right, rank {rank:,}"), True) for display in missed]
    return html.grid(shown, columns=len(shown))


def _drawn(display: Display, caption: str) -> Html:
    return Html(f"{figures(display, caption, ANSWER_WIDTH)}{words(display)}")


def _listed_answers(answers: Sequence[tuple[Answer, Display]], missed: Sequence[Display]) -> Html:
    lines = []
    for answer, display in answers:
        said = f"<strong>✓ {words(display)}</strong>" if answer.right else words(display)
        lines.append(f"<li>{said} <small>{answer.score:.3f}</small></li>")
    listed = f'<ol style="margin:.2rem 0;padding-left:1.4rem">{"".join(lines)}</ol>'
    if missed:
        right = html.text(" / ".join(display.text for display in missed))
        return Html(f"{listed}<p><small>Right would have been: {right}</small></p>")
    return Html(listed)


def _missed(example: Example, rows: Rows) -> list[Display]:
    """What was right, from the query's own row, if none of the answers shown is."""
    first = example.answers[0].entry
    if isinstance(first, str) or any(answer.right for answer in example.answers):
        return []
    return rows.all_of(example.query.row, first.stream)


def _framed(picture: Html, right: bool) -> Html:
    return Html(f'<div style="{FRAME}">{picture}</div>') if right else picture
