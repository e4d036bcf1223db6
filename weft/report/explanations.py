"""What a decision rests on, as pictures and words: heat over the picture, marked words, ablations."""

from collections.abc import Sequence
from dataclasses import dataclass

from weft.core.display import Display
from weft.report import html
from weft.report.displays import ROW, figures, words
from weft.report.html import Html

WIDTH = 180


@dataclass(frozen=True)
class Weighed:
    """A stream as the model sees it, with the weight of each part, and how that was found."""

    stream: str
    method: str
    display: Display


@dataclass(frozen=True)
class Without:
    """The answer without a stream, and what is left of the score of the answer with it."""

    stream: str
    answer: str
    score: str


@dataclass(frozen=True)
class Explained:
    """The explanation of one decision. score: empty where the answer says it. note: what a reader must
    know of the marks, or nothing."""

    answer: str
    score: str = ""
    parts: Sequence[Weighed] = ()
    without: Sequence[Without] = ()
    note: str = ""

    @property
    def title(self) -> str:
        return f"{self.answer} ({self.score})" if self.score else self.answer

    def lines(self) -> list[str]:
        """What is said without each stream, and the note."""
        found = [
            f"without {one.stream}: {one.answer}"
            + (f", {self.answer} {one.score}" if one.score else "")
            for one in self.without
        ]
        return found + [self.note] * bool(self.note)


def explained_html(explained: Explained) -> Html:
    """Pictures under heat, marked words and the ablations of one decision."""
    shown = [
        figures(part.display, f"{part.stream}: {part.method}", WIDTH) for part in explained.parts
    ]
    lines = [
        f"<div>{words(part.display)} <small>{html.text(part.method)}</small></div>"
        for part in explained.parts
        if part.display.words
    ]
    lines += [f"<div><small>{html.text(line)}</small></div>" for line in explained.lines()]
    return Html(
        f'<div style="{ROW}">{"".join(shown)}<div style="flex:1 1 20rem">{"".join(lines)}</div></div>'
    )
