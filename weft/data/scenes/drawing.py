"""Scene -> picture: shapes drawn by Pillow at twice the size, averaged down, with noise."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from weft.data.scenes.world import PATTERNS, Object, Scene, outline

Ink = tuple[int, int, int] | int
MAX_NOISE = 24
"""Colours keep this distance from 0 and 255, so that adding noise needs no clipping."""

PALETTE = {
    "red": (216, 40, 40),
    "orange": (231, 132, 28),
    "yellow": (230, 216, 44),
    "green": (40, 156, 60),
    "blue": (36, 72, 214),
    "purple": (128, 40, 164),
    "pink": (231, 118, 178),
    "brown": (122, 74, 36),
    "black": (26, 26, 26),
    "white": (230, 230, 230),
}
BACKDROPS = {
    "gray": (146, 146, 146),
    "sand": (200, 184, 148),
    "mint": (160, 204, 176),
    "lilac": (184, 170, 208),
    "sky": (150, 190, 214),
    "slate": (78, 92, 108),
}
_SWING = 13
"""Patterns go this far up and down from the backdrop's colour."""
RING_WIDTH = 0.42
_NOISE_STARTS = 2**15
"""Pictures begin at one of this many places of the same noise."""


def draw(scene: Scene, size: int, noise: int) -> np.ndarray:
    """(size, size, 3) uint8. noise: largest change of a pixel by noise, at most MAX_NOISE."""
    image = _empty_picture(scene.tint, scene.pattern, 2 * size)
    inks = [PALETTE[thing.color] for thing in scene.objects]
    _draw_objects(ImageDraw.Draw(image), scene.objects, 2 * size, inks)
    pixels = np.frombuffer(image.reduce(2).tobytes(), np.uint8)
    start = int(scene.grain * _NOISE_STARTS)
    # Unsigned bytes wrap around: adding 253 takes 3 away.
    noisy: np.ndarray = pixels + _noise_strip(size, noise)[start : start + pixels.size]
    return noisy.reshape(size, size, 3)


def _draw_objects(
    canvas: ImageDraw.ImageDraw, objects: Sequence[Object], scale: int, inks: Sequence[Ink]
) -> None:
    # Pillow cuts off the fractions of coordinates and draws the first and the last pixel: with half
    # a pixel less on each side both are rounded.
    for thing, ink in zip(objects, inks, strict=True):
        shape = thing.shape
        x, y, radius = thing.x * scale, thing.y * scale, thing.radius * scale - 0.5
        if shape == "circle":
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), ink)
        elif shape == "ring":
            box = (x - radius, y - radius, x + radius, y + radius)
            canvas.ellipse(box, outline=ink, width=round(RING_WIDTH * radius))
        else:
            corners = outline(shape, thing.turn)
            canvas.polygon([(px * radius + x, py * radius + y) for px, py in corners], ink)


def hidden_share(back: Object, front: Object, scale: int = 96) -> float:
    """Share of `back`'s area that `front` covers."""
    image = Image.new("L", (scale, scale))
    canvas = ImageDraw.Draw(image)
    _draw_objects(canvas, [back], scale, [1])
    whole = image.histogram()[1]
    _draw_objects(canvas, [front], scale, [0])
    return 1 - image.histogram()[1] / whole


def _empty_picture(tint: str, pattern: str, side: int) -> Image.Image:
    if pattern == "plain":
        return Image.new("RGB", (side, side), BACKDROPS[tint])
    strip = _backdrop(tint, pattern, side)
    if strip.height == side:
        return strip.copy()
    image = Image.new("RGB", (side, side), None)
    for row in range(0, side, strip.height):
        image.paste(strip, (0, row))
    return image


@functools.lru_cache(maxsize=len(BACKDROPS) * len(PATTERNS))
def _backdrop(tint: str, pattern: str, side: int) -> Image.Image:
    """The empty picture, or from 256 pixels on the quarter of it that fills it when repeated.

    A quarter of a large picture stays in the processor's cache, where the whole would not.
    """
    rows, columns = np.mgrid[0 : side if side < 256 else -(-side // 4), 0:side] / (side / 4)
    wave = {
        "shaded": columns / 2 - 1,
        "striped": np.where((rows + columns) % 1 < 0.5, 1.0, -1.0),
        "checkered": np.where((rows % 1 < 0.5) == (columns % 1 < 0.5), 1.0, -1.0),
    }[pattern]
    pixels = np.array(BACKDROPS[tint]) + np.rint(_SWING * wave)[..., None]
    return Image.fromarray(pixels.astype(np.uint8))


@functools.lru_cache(maxsize=4)
def _noise_strip(size: int, noise: int) -> np.ndarray:
    """Bell-shaped noise in [-noise, noise] as bytes modulo 256, long enough for every start."""
    length = size * size * 3 + _NOISE_STARTS
    bits = np.random.PCG64(np.random.SeedSequence((size, noise)))
    words = bits.random_raw(-(-length // 2)).view(np.uint8).reshape(4, -1)
    bell = words.sum(0, dtype=np.int32) / (4 * 255) * 2 - 1
    steps: np.ndarray = np.rint(noise * bell[:length]).astype(np.int8)
    return steps.view(np.uint8)
