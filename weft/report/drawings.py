"""Generated values beside their inputs, the real value, and the most similar training row."""

import base64
from collections.abc import Sequence

import numpy as np

from weft.core.language import say
from weft.inference.results import Drawing
from weft.report import html
from weft.report.displays import figures, shown, words
from weft.report.examples import Rows, folded
from weft.report.html import Html

WIDTH = 128
STRIP_WIDTH, ANIMATION_WIDTH = 640, 320


def drawings(found: Sequence[Drawing], rows: Rows, first: int) -> list[Html]:
    """Shows the `first` of them; the others are folded."""
    return folded([_drawing(one, rows) for one in found], first, "generated")


def _drawing(drawing: Drawing, rows: Rows) -> Html:
    inputs = [rows.display(entry) for entry in drawing.inputs]
    pictures = [figures(display, say("given"), WIDTH) for display in inputs if display.drawn]
    pictures.append(figures(drawing.drawn, say("generated"), WIDTH))
    pictures += [
        figures(display, say(name), WIDTH, played=False) for name, display in drawing.others.items()
    ]
    return shown(
        pictures,
        [f'<div class="answer">{words(display)}</div>' for display in inputs if display.words],
    )


def strip(pixels: np.ndarray) -> Html:
    """Shows a strip of pictures between two noises, for one input."""
    return html.figure(
        pixels, say("one input, with the noise interpolated between two samples"), STRIP_WIDTH
    )


def animated(content: bytes) -> Html:
    """Shows the animation of the same inputs during training."""
    source = base64.b64encode(content).decode()
    told = html.text(say("the same inputs and noise, after each validation of the training"))
    return Html(
        f'<figure class="picture" style="width:{ANIMATION_WIDTH}px"><img src="data:image/webp;base64,{source}" alt="{told}">'
        f"<figcaption>{told}</figcaption></figure>"
    )
