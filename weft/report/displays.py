"""Values as HTML for people, with the weights of their parts."""

from collections.abc import Sequence
from dataclasses import replace

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
"""Colour of the outline around the most important parts."""
LINE_PIXELS = 3
DARKEST = 0.3
"""Remaining brightness of unimportant parts."""
DARK = (
    "dark: does not matter; bright: matters; inside the orange line: more than half as much as the part that "
    "matters most"
)
WIDE = 3
DRAWN_SIDE = 320
"""Longer side of a picture with weights, in pixels."""


def figures(
    display: Display, caption: str, width: int, *, played: bool = True, wide: int = WIDE
) -> Html:
    """Returns the pictures, `width` CSS pixels wide. In pictures with weights, unimportant parts are dark.

    Sounds and videos are drawn, with a player if `played`. Spectrograms, which are wide and low, get `wide` times the
    width.
    """
    found = [
        html.figure(drawn(p), _captioned(caption, p), width * (wide if p.columns or p.rows else 1))
        for p in display.pictures
    ]
    found += [
        recording(one, caption, width * (1 if one.media.kind == "video" else wide), played=played)
        for one in display.recordings
    ]
    return Html("".join(found))


def originals(display: Display, caption: str, width: int) -> Html:
    """Returns the pictures without weights."""
    plain = (replace(picture, weights=None) for picture in display.pictures)
    return Html("".join(html.figure(p.pixels, _captioned(caption, p), width) for p in plain))


def _captioned(caption: str, picture: Picture) -> str:
    """Adds the picture's name, what its axes are, and where it has the largest weight."""
    columns, rows = picture.columns, picture.rows
    notes = [caption, say(picture.name)]
    notes += [say(f"{columns.span()} from left to right")] if columns else []
    notes += [say(f"{rows.span()} from bottom to top")] if rows else []
    notes += (
        [say(f"most at {picture.strongest}")] if picture.strongest and (columns or rows) else []
    )
    return "; ".join(filter(None, notes))


def words(display: Display) -> Html:
    """Returns the words, each with a background as strong as its weight."""
    return Html(
        " ".join(
            html.text(word.text)
            if word.weight is None
            else f'<span style="--w:{0.75 * word.weight:.2f}">{html.text(word.text)}</span>'
            for word in display.words
        )
    )


def legend(pictures: bool, texts: bool, found: str) -> Html:
    """Explains brightness, outline and colour, if they occur on the page. found: how the weights were computed."""
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
    """Shows one row of the data: its pictures, with its facts beside them."""
    before = f'<div class="pictures">{"".join(pictures)}</div>' if any(pictures) else ""
    return Html(f'<div class="shown">{before}<div class="told">{"".join(told)}</div></div>')


def drawn(picture: Picture) -> np.ndarray | Media:
    """Returns the picture. With weights, it is (H, W, 3) uint8 in its own colours, with unimportant parts dark and an
    outline around parts above half of the maximum weight."""
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
    """Returns height and width with DRAWN_SIDE as the longer side, so that the outline is thin."""
    scale = DRAWN_SIDE / max(shape)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _resized(values_CHW: np.ndarray, height: int, width: int) -> np.ndarray:
    values = torch.from_numpy(np.ascontiguousarray(values_CHW, dtype=np.float32))[None]
    resized = F.interpolate(values, size=(height, width), mode="bilinear", align_corners=False)
    return np.asarray(resized[0].numpy())


def _edge(inside_HW: np.ndarray) -> np.ndarray:
    """Returns the inner edge of (H, W) bool, LINE_PIXELS wide, without edges at the picture's border."""
    core = inside_HW
    for _ in range(LINE_PIXELS):
        padded, left = np.pad(core, 1, mode="edge"), core.copy()
        for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
            left &= padded[down : down + len(core), right : right + core.shape[1]]
        core = left
    return np.asarray(inside_HW & ~core)
