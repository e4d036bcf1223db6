"""Retrieved examples as pictures and captions, with the right ones marked."""

from collections.abc import Mapping, Sequence
from typing import Any

from weft.core.display import Display, Word
from weft.core.interfaces import Modality
from weft.core.language import say
from weft.core.media import Alternatives
from weft.data.columns import value_of
from weft.data.formats import Dataset
from weft.inference.member import Entry
from weft.inference.results import Answer, Example
from weft.modalities.parts import shown_by
from weft.report import html
from weft.report.displays import figures, shown, words
from weft.report.html import Html

QUERY_WIDTH = 170
ANSWER_WIDTH = 120
FIRST = 2
"""Number of examples of a kind shown unfolded."""


class Rows:
    """The rows of a data set, displayed by their modalities."""

    def __init__(self, dataset: Dataset, modalities: Mapping[str, Modality]) -> None:
        self.dataset = dataset
        self._modalities = modalities

    def display(self, entry: Entry | str) -> Display:
        """Displays a label, or an entry of the data set with the alternative that it names."""
        if isinstance(entry, str):
            return Display(words=(Word(entry),))
        raw = self.value(entry.row, entry.stream)
        if isinstance(raw, Alternatives):
            raw = raw[entry.alternative or 0]
        return shown_by(self._modalities.get(entry.stream)).show(raw)

    def value(self, row: int, stream: str) -> Any:
        """Returns the raw value of the row's stream; None if the row lacks it."""
        return value_of(self.dataset[row], stream, self._modalities.get(stream))

    def all_of(self, row: int, stream: str) -> list[Display]:
        """Displays every alternative of the row's stream; empty if the row lacks it."""
        raw = self.value(row, stream)
        values = raw if isinstance(raw, Alternatives) else () if raw is None else (raw,)
        return [shown_by(self._modalities.get(stream)).show(value) for value in values]


def examples(found: Sequence[Example], rows: Rows, first: int = FIRST) -> list[Html]:
    """Shows queries with and without a right first answer: the `first` of each, the others folded."""
    parts: list[Html] = []
    for title, right in (("Right answer not first", False), ("Right answer first", True)):
        some = [_example(example, rows) for example in found if (example.rank == 1) is right]
        if some:
            parts.append(html.heading(title))
            parts += folded(some, first, title.lower())
    return parts


def worst_examples(found: Sequence[Example], rows: Rows) -> list[Html]:
    """Shows the queries whose right answers rank last; only the first one is unfolded."""
    return folded([_example(example, rows) for example in found], 1, "worst errors")


def folded(parts: Sequence[Html], first: int, what: str) -> list[Html]:
    """Shows the first parts; the others are folded."""
    rest = parts[first:]
    return [*parts[:first], *([html.details(f"{len(rest)} more: {what}", *rest)] if rest else [])]


def _example(example: Example, rows: Rows) -> Html:
    query = rows.display(example.query)
    answers = [(answer, rows.display(answer.entry)) for answer in example.answers]
    rank = Html(f"<div><small>{say(f'right answer at rank {example.rank:,}')}</small></div>")
    missed = _missed(example, rows)
    drawn = any(display.drawn for _, display in answers)
    found = (
        _drawn_answers(answers, missed, example.rank) if drawn else _listed_answers(answers, missed)
    )
    asked = Html(f'<div class="answer">{words(query)}</div>' if query.words else "")
    pictures = figures(query, rows.dataset[example.query.row].id.rpartition("/")[2], QUERY_WIDTH)
    return shown([pictures], [asked, rank, found])


def _drawn_answers(
    answers: Sequence[tuple[Answer, Display]], missed: Sequence[Display], rank: int
) -> Html:
    drawn = [
        _framed(_drawn(display, f"{answer.score:.3f}"), answer.right) for answer, display in answers
    ]
    drawn += [_framed(_drawn(display, say(f"right, rank {rank:,}")), True) for display in missed]
    return html.grid(drawn, columns=len(drawn))


def _drawn(display: Display, caption: str) -> Html:
    return Html(f"{figures(display, caption, ANSWER_WIDTH)}{words(display)}")


def _listed_answers(answers: Sequence[tuple[Answer, Display]], missed: Sequence[Display]) -> Html:
    lines = []
    for answer, display in answers:
        said = f'<strong><span class="yes">✓</span> {words(display)}</strong>'
        said = said if answer.right else words(display)
        lines.append(f"<li>{said} <small>{answer.score:.3f}</small></li>")
    listed = f"<ol>{''.join(lines)}</ol>"
    if missed:
        right = html.text(" / ".join(display.text for display in missed))
        return Html(f"{listed}<p><small>{say('Right answer:')} {right}</small></p>")
    return Html(listed)


def _missed(example: Example, rows: Rows) -> list[Display]:
    """Returns the right answers in the query's own row, if none of the displayed answers is right."""
    first = example.answers[0].entry
    if isinstance(first, str) or any(answer.right for answer in example.answers):
        return []
    return rows.all_of(example.query.row, first.stream)


def _framed(picture: Html, right: bool) -> Html:
    return Html(f'<div class="framed">{picture}</div>') if right else picture
