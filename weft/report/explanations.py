"""Explanations of decisions: pictures with unimportant parts dark, marked words, and the answer without a stream."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from weft.core.display import Display
from weft.core.language import listed, say
from weft.core.naming import plain
from weft.report import html
from weft.report.displays import figures, legend, originals, shown, words
from weft.report.html import Html

WIDTH = 160
METHODS = {
    "occlusion": "found by hiding one part after the other",
    "relevance": "found by gradient × attention",
    "rollout": "found by attention alone",
}


@dataclass(frozen=True)
class Weighed:
    """A stream as the model reads it, with the weight of each part, and how the weights were computed."""

    stream: str
    method: str
    display: Display

    @property
    def words(self) -> str:
        """How the weights were computed, in words."""
        return METHODS.get(self.method, self.method)

    def line(self) -> str:
        """Returns the stream, the method and the parts with the largest weights."""
        strongest = (f"{name} {weight:.2f}" for name, weight in self.display.strongest(5))
        return f"{say(plain(self.stream))} ({say(self.method)}): {', '.join(strongest)}"


@dataclass(frozen=True)
class Without:
    """The answer without a stream, and the remaining score of the original answer."""

    stream: str
    answer: str
    score: str


@dataclass(frozen=True)
class Explained:
    """The explanation of one decision. score: empty if the answer contains it. note: caveat about the marks, or
    empty. named: the answer is not a value of a head, but the name of the score, such as similarity, or the reason why
    there is no decision."""

    answer: str
    score: str = ""
    parts: Sequence[Weighed] = ()
    without: Sequence[Without] = ()
    note: str = ""
    named: bool = False

    def __repr__(self) -> str:
        return "\n".join([self.title, *(part.line() for part in self.parts), *self.lines()])

    def _repr_html_(self) -> str:
        """Renders in a separate frame, so that the style does not change the page around it."""
        content = html.page(self.title, [explained_html(self)])
        return (
            f'<iframe style="width:100%;height:420px;border:0" srcdoc="{escape(content)}"></iframe>'
        )

    @property
    def title(self) -> str:
        return f"{self.said} ({self.score})" if self.score else self.said

    @property
    def said(self) -> str:
        """The answer; the name of a score in the reader's language."""
        return say(self.answer) if self.named else self.answer

    def lines(self) -> list[str]:
        """Returns the answers without each stream, and the note."""
        found = []
        for one in self.without:
            same = one.answer == self.answer
            score = one.score if same or not one.score else f", {self.said} {one.score}"
            said = f"{self.said} {score}" if same else f"{one.answer}{score}"
            found.append(f"{say(f'without the {plain(one.stream)}')}: {said}".rstrip())
        return found + [say(self.note)] * bool(self.note)


def evidence_pictures(explained: Explained) -> list[Html]:
    """Shows each weighted picture, with unimportant parts dark."""
    return [
        figures(part.display, f"{say(plain(part.stream))}: {say('what matters')}", WIDTH)
        for part in explained.parts
    ]


def evidence_words(explained: Explained) -> list[Html]:
    """Shows the marked words of each text, and the answers without each stream."""
    marked = [
        Html(f'<div class="marked">{words(part.display)}</div>')
        for part in explained.parts
        if part.display.words
    ]
    return marked + [
        Html(f"<div><small>{html.text(line)}</small></div>") for line in explained.lines()
    ]


def explained_legend(explained: Sequence[Explained]) -> Html:
    """Explains the marks of these explanations."""
    parts = [part for one in explained for part in one.parts]
    ways = dict.fromkeys(f"{say(plain(part.stream))}: {say(part.words)}" for part in parts)
    return legend(
        any(part.display.pictures for part in parts),
        any(part.display.words for part in parts),
        listed(ways),
    )


def explained_html(explained: Explained) -> Html:
    """Shows one decision: each picture as the model reads it, beside the weighted one; marked words; ablations."""
    pictures = [
        Html(originals(part.display, say(f"{plain(part.stream)} as it is read"), WIDTH) + drawn)
        for part, drawn in zip(explained.parts, evidence_pictures(explained), strict=True)
        if part.display.pictures
    ]
    return shown(pictures, evidence_words(explained))
