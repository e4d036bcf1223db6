"""Values as a person sees them, with the weights of their parts, as HTML."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from weft.core.display import Display, Picture
from weft.core.language import say
from weft.core.media import Media
from weft.report import html
from weft.report.html import Html
from weft.report.recordings import recording

LINE = np.array([255.0, 120.0, 0.0])
"""The colour of the line around what matters most."""
LINE_PIXELS = 3
DARKEST = 0.3
"""The brightness that is left of what does not matter."""
DARK = (
    "dark: does not matter; bright: matters; inside the orange line: more than half as much as the part that "
    "matters most"
)
DRAWN_SIDE = 320
"""Pixels of the longer side of a picture with weights."""


def figures(display: Display, caption: str, width: int, *, played: bool = True) -> Html:
    """The pictures, `width` CSS pixels wide; what does not matter of those that have weights is dark.

    Sounds and videos are drawn, with a player where `played`.
    """
    found = [html.figure(drawn(p), caption, width) for p in display.pictures]
    found += [recording(one, caption, width, played=played) for one in display.recordings]
    return Html("".join(found))


def originals(display: Display, caption: str, width: int) -> Html:
    """The pictures as they are."""
    return Html("".join(html.figure(p.pixels, caption, width) for p in display.pictures))


def words(display: Display) -> Html:
    """The words, each with a weight on a ground as strong as it."""
    return Html(
        " ".join(
            html.text(word.text)
            if word.weight is None
            else f'<span style="--w:{0.75 * word.weight:.2f}">{html.text(word.text)}</span>'
            for word in display.words
        )
    )


def legend(pictures: bool, texts: bool, found: str) -> Html:
    """What brightness, line and colour mean, if any of it is on the page. found: how it was found."""
    keys = []
    if pictures:
        ground = "linear-gradient(90deg,#2b2b2b,#fff)"
        keys.append(f'<span><i class="scale" style="background:{ground}"></i>{say(DARK)}</span>')
    if texts:
        ground = "linear-gradient(90deg,rgba(var(--mark),0),rgba(var(--mark),.75))"
        keys.append(
            f'<span><i class="scale" style="background:{ground}"></i>'
            f"{say('words: the stronger the colour, the more they matter')}</span>"
        )
    keys += [f"<span>{html.text(found)}</span>"] * bool(keys and found)
    return Html(f'<div class="legend">{"".join(keys)}</div>' if keys else "")


def shown(pictures: Sequence[str], told: Sequence[str]) -> Html:
    """One row of the data: its pictures, and what is told of it beside them."""
    before = f'<div class="pictures">{"".join(pictures)}</div>' if any(pictures) else ""
    return Html(f'<div class="shown">{before}<div class="told">{"".join(told)}</div></div>')


def drawn(picture: Picture) -> np.ndarray | Media:
    """The picture. With weights (H, W, 3) uint8: in its own colours, darker where it does not matter, with a
    line around what weighs more than half of the most."""
    if picture.weights is None:
        return picture.pixels
    if isinstance(picture.pixels, Media):
        raise TypeError("a picture with weights is a Media, expected an array")
    height, width = _size(picture.pixels.shape[:2])
    pixels_HWC = _resized(picture.pixels.transpose(2, 0, 1), height, width).transpose(1, 2, 0)
    weight_HW = _resized(picture.weights[None], height, width)[0].clip(0, 1)
    dimmed = pixels_HWC * (DARKEST + (1 - DARKEST) * weight_HW[:, :, None])
    if weight_HW.max() > 0:
        dimmed[_edge(weight_HW > weight_HW.max() / 2)] = LINE
    return np.asarray(dimmed.clip(0, 255).round(), np.uint8)


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width with DRAWN_SIDE as the longer one, so that the line is thin."""
    scale = DRAWN_SIDE / max(shape)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _resized(values_CHW: np.ndarray, height: int, width: int) -> np.ndarray:
    values = torch.from_numpy(np.ascontiguousarray(values_CHW, dtype=np.float32))[None]
    resized = F.interpolate(values, size=(height, width), mode="bilinear", align_corners=False)
    return np.asarray(resized[0].numpy())


def _edge(inside_HW: np.ndarray) -> np.ndarray:
    """The inner edge of (H, W) bool, LINE_PIXELS wide; nothing where the picture ends."""
    core = inside_HW
    for _ in range(LINE_PIXELS):
        padded, left = np.pad(core, 1, mode="edge"), core.copy()
        for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
            left &= padded[down : down + len(core), right : right + core.shape[1]]
        core = left
    return np.asarray(inside_HW & ~core)
