"""What a decision rests on: pictures in which the rest is dark, marked words, and the answer without a stream."""

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
    """A stream as the model sees it, with the weight of each part, and how that was found."""

    stream: str
    method: str
    display: Display

    @property
    def words(self) -> str:
        """How the weights were found, in words."""
        return METHODS.get(self.method, self.method)


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

    def __repr__(self) -> str:
        strongest = (
            f"{part.stream}: {', '.join(f'{name} {weight:.2f}' for name, weight in part.display.strongest(5))}"
            for part in self.parts
        )
        return "\n".join([self.title, *strongest, *self.lines()])

    def _repr_html_(self) -> str:
        """In a frame of its own, so that the page's style changes nothing around it."""
        content = html.page(self.title, [explained_html(self)])
        return (
            f'<iframe style="width:100%;height:420px;border:0" srcdoc="{escape(content)}"></iframe>'
        )

    @property
    def title(self) -> str:
        return f"{self.answer} ({self.score})" if self.score else self.answer

    def lines(self) -> list[str]:
        """What is said without each stream, and the note."""
        found = [
            f"{say(f'without the {plain(one.stream)}')}: {one.answer}"
            + (f", {self.answer} {one.score}" if one.score else "")
            for one in self.without
        ]
        return found + [say(self.note)] * bool(self.note)


def evidence_pictures(explained: Explained) -> list[Html]:
    """Each picture that was weighed, darker where it does not matter."""
    return [
        figures(part.display, f"{say(plain(part.stream))}: {say('what matters')}", WIDTH)
        for part in explained.parts
    ]


def evidence_words(explained: Explained) -> list[Html]:
    """The marked words of each text, and what is said without each stream."""
    marked = [
        Html(f'<div class="marked">{words(part.display)}</div>')
        for part in explained.parts
        if part.display.words
    ]
    return marked + [
        Html(f"<div><small>{html.text(line)}</small></div>") for line in explained.lines()
    ]


def explained_legend(explained: Sequence[Explained]) -> Html:
    """What the marks of these explanations mean."""
    parts = [part for one in explained for part in one.parts]
    ways = dict.fromkeys(f"{say(plain(part.stream))}: {say(part.words)}" for part in parts)
    return legend(
        any(part.display.pictures for part in parts),
        any(part.display.words for part in parts),
        listed(ways),
    )


def explained_html(explained: Explained) -> Html:
    """One decision: each picture as the model sees it, beside it what matters; marked words; ablations."""
    pictures = [
        Html(originals(part.display, say(f"{plain(part.stream)} as it is read"), WIDTH) + drawn)
        for part, drawn in zip(explained.parts, evidence_pictures(explained), strict=True)
        if part.display.pictures
    ]
    return shown(pictures, evidence_words(explained))
