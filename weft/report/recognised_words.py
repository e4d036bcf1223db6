"""Recognised words, each with its time, and the weight of every stream while it was spoken."""

import html as escaping
from collections.abc import Sequence

from weft.core.language import say
from weft.core.naming import plain
from weft.inference.results import Prediction, RecognisedWord
from weft.report import html
from weft.report.axes import colour
from weft.report.html import Html


def recognised_words(words: Sequence[RecognisedWord]) -> Html:
    """Shows the words in a row, each above a bar of the streams' weights, the weights in percent, and its times."""
    return Html(f'<span class="weighed">{"".join(map(_word, words))}</span>')


def words_legend(found: Sequence[Prediction]) -> Html:
    """Explains what is below the words; empty if no prediction has any."""
    every = [word for one in found for word in one.words]
    streams = next((tuple(word.weights) for word in every), ())
    parts = []
    if streams:
        what = say(
            "below each word: the weight of each stream while the word was spoken, in percent:"
        )
        parts.append(f"<span>{html.text(what)}</span>")
        parts += [
            f'<span><i class="spot" style="background:{colour(n)}"></i>{_name(stream)}</span>'
            for n, stream in enumerate(streams)
        ]
    if any(word.span for word in every):
        what = say(
            "times of a word in seconds; of a right one, how much later its middle is than the true one"
        )
        parts.append(f"<span>{html.text(what)}</span>")
    return Html(f'<div class="legend">{"".join(parts)}</div>' if parts else "")


def _word(word: RecognisedWord) -> str:
    percents = {stream: round(100 * weight) for stream, weight in word.weights.items()}
    said = ", ".join(f"{_name(stream)} {percent} %" for stream, percent in percents.items())
    title = f' title="{escaping.escape(said, quote=True)}"' if said else ""
    return f"<span{title}><b>{html.text(word.word)}</b>{_bar(word)}{_times(word)}</span>"


def _bar(word: RecognisedWord) -> str:
    if not word.weights:
        return ""
    bar = "".join(
        f'<i style="flex:{weight:.3f};background:{colour(n)}"></i>'
        for n, weight in enumerate(word.weights.values())
    )
    below = " · ".join(str(round(100 * weight)) for weight in word.weights.values())
    return f'<span class="bar">{bar}</span><small>{below}</small>'


def _times(word: RecognisedWord) -> str:
    if word.span is None:
        return ""
    begin, end = word.span
    off = "" if word.off is None else f" ({1000 * word.off:+.0f} ms)"
    return f"<small>{begin:.2f}–{end:.2f}{off}</small>"


def _name(stream: str) -> str:
    return html.text(say(plain(stream)))
