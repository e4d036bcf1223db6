"""Recognised words, each with the weight of every stream while it was spoken."""

import html as escaping
from collections.abc import Sequence

from weft.core.language import say
from weft.core.naming import plain
from weft.inference.results import Prediction, WeighedWord
from weft.report import html
from weft.report.axes import colour
from weft.report.html import Html


def weighed_words(words: Sequence[WeighedWord]) -> Html:
    """Shows the words in a row, each above a bar of the streams' weights and the weights in percent."""
    return Html(f'<span class="weighed">{"".join(map(_word, words))}</span>')


def weighed_legend(found: Sequence[Prediction]) -> Html:
    """Explains the bars; empty if no prediction has any."""
    streams = next((tuple(word.weights) for one in found for word in one.words), ())
    if not streams:
        return Html("")
    keys = "".join(
        f'<span><i class="spot" style="background:{colour(n)}"></i>{_name(stream)}</span>'
        for n, stream in enumerate(streams)
    )
    what = say("below each word: the weight of each stream while the word was spoken, in percent:")
    return Html(f'<div class="legend"><span>{html.text(what)}</span>{keys}</div>')


def _word(word: WeighedWord) -> str:
    percents = [round(100 * weight) for weight in word.weights.values()]
    bar = "".join(
        f'<i style="flex:{weight:.3f};background:{colour(n)}"></i>'
        for n, weight in enumerate(word.weights.values())
    )
    said = ", ".join(
        f"{_name(s)} {percent} %" for s, percent in zip(word.weights, percents, strict=True)
    )
    below = " · ".join(map(str, percents))
    return (
        f'<span title="{escaping.escape(said, quote=True)}"><b>{html.text(word.word)}</b>'
        f'<span class="bar">{bar}</span><small>{below}</small></span>'
    )


def _name(stream: str) -> str:
    return html.text(say(plain(stream)))
