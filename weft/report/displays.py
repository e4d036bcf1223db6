"""Values as a person sees them, with the weights of their parts, as HTML."""

import numpy as np
import torch
import torch.nn.functional as F

from weft.core.display import Display, Picture
from weft.core.media import Media
from weft.report import html
from weft.report.html import Html

HEAT = np.array([230.0, 30.0, 30.0])
"""The colour of what matters most."""
ROW = "display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;margin:.6rem 0 1.6rem;align-items:flex-start"


def figures(display: Display, caption: str, width: int) -> Html:
    """The pictures, `width` CSS pixels wide, with heat over those that have weights."""
    return Html("".join(html.figure(drawn(p), caption, width) for p in display.pictures))


def words(display: Display) -> Html:
    """The words, each with a weight on a ground as strong as it."""
    red, green, blue = HEAT.astype(int)
    return Html(
        " ".join(
            html.text(word.text)
            if word.weight is None
            else f'<span style="background:rgba({red},{green},{blue},{0.65 * word.weight:.2f});'
            f'padding:0 .15em;border-radius:3px">{html.text(word.text)}</span>'
            for word in display.words
        )
    )


def drawn(picture: Picture) -> np.ndarray | Media:
    """The picture: with weights (H, W, 3) uint8, greyer where it does not matter, red where it does."""
    if picture.weights is None:
        return picture.pixels
    if isinstance(picture.pixels, Media):
        raise TypeError("a picture with weights is a Media, expected an array")
    pixels = picture.pixels.astype(np.float32)
    values = torch.from_numpy(np.ascontiguousarray(picture.weights, dtype=np.float32))[None, None]
    size = pixels.shape[:2]
    weight = F.interpolate(values, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()
    weight = weight.clip(0, 1)[:, :, None]
    grey = pixels.mean(axis=2, keepdims=True) * 0.5 + 96
    calm = 0.55 * pixels + 0.45 * grey
    return np.asarray((calm * (1 - 0.6 * weight) + HEAT * 0.6 * weight).clip(0, 255), np.uint8)
