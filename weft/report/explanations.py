"""What a decision rests on, as pictures and words: heat over the picture, marked words, ablations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from weft.report import html
from weft.report.examples import ROW
from weft.report.html import Html

WIDTH = 180
HEAT = np.array([230.0, 30.0, 30.0])
"""The colour of what matters most."""


@dataclass(frozen=True)
class Heat:
    """A picture as the model sees it, (H, W, 3) uint8, and the weight of its cells, (rows, columns)."""

    stream: str
    method: str
    picture: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Marked:
    """Pieces of a text and the weight of each."""

    stream: str
    method: str
    pieces: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Without:
    """The answer without a stream, and what is left of the score of the answer with it."""

    stream: str
    answer: str
    score: float


@dataclass(frozen=True)
class Explained:
    """The explanation of one decision."""

    answer: str
    score: float
    parts: Sequence[Heat | Marked]
    without: Sequence[Without]


def explained_html(explained: Explained) -> Html:
    """Pictures under heat, marked words and the ablations of one decision."""
    shown: list[str] = []
    words: list[str] = []
    for part in explained.parts:
        if isinstance(part, Heat):
            caption = f"{part.stream}: {part.method}"
            shown.append(html.figure(overlay(part), caption, WIDTH))
        else:
            words.append(f"<div>{marked_words(part)} <small>{html.text(part.method)}</small></div>")
    words += [
        f"<div><small>without {html.text(one.stream)}: {html.text(one.answer)}, "
        f"{html.text(explained.answer)} {one.score:.3f}</small></div>"
        for one in explained.without
    ]
    return Html(
        f'<div style="{ROW}">{"".join(shown)}<div style="flex:1 1 20rem">{"".join(words)}</div></div>'
    )


def overlay(heat: Heat) -> np.ndarray:
    """(H, W, 3) uint8: the picture, greyer where it does not matter, red where it does."""
    picture = heat.picture.astype(np.float32)
    values = torch.from_numpy(np.ascontiguousarray(heat.values, dtype=np.float32))[None, None]
    size = picture.shape[:2]
    weight = F.interpolate(values, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()
    weight = weight.clip(0, 1)[:, :, None]
    grey = picture.mean(axis=2, keepdims=True) * 0.5 + 96
    calm = 0.55 * picture + 0.45 * grey
    return np.asarray((calm * (1 - 0.6 * weight) + HEAT * 0.6 * weight).clip(0, 255), np.uint8)


def marked_words(marked: Marked) -> Html:
    """The text, each piece on a ground as strong as its weight."""
    red, green, blue = HEAT.astype(int)
    spans = [
        f'<span style="background:rgba({red},{green},{blue},{0.65 * float(value):.2f});'
        f'padding:0 .15em;border-radius:3px">{html.text(piece)}</span>'
        for piece, value in marked.pieces
    ]
    return Html(" ".join(spans))
