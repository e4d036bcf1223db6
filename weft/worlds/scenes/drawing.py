"""Scene -> picture: Pillow draws shapes at twice the size; they are averaged down and pasted on a backdrop with noise.

The averaged shapes are cached as masks, so drawing a scene is little more than pasting them.
"""

import functools
import math

import numpy as np
from PIL import Image, ImageDraw

from weft.worlds.scenes.world import PATTERNS, ROUND, Object, Scene, outline

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
"""Largest difference of a pattern from the backdrop's colour, up and down."""
RING_WIDTH = 0.42
_LARGEST_KEPT = 512
"""Largest picture whose masks and backdrops are cached. The cache takes about 60 MB at this size, 1 MB at 64."""
_NOISE_STARTS = 2**15
"""Number of positions of the same noise at which a picture may start."""


def draw(scene: Scene, size: int, noise: int) -> np.ndarray:
    """(size, size, 3) uint8. noise: largest change of a pixel by noise, at most MAX_NOISE."""
    # Masks and backdrops of huge pictures would take too much memory in the cache.
    keep = size <= _LARGEST_KEPT
    backdrop, mask = (_backdrop, _mask) if keep else (_backdrop.__wrapped__, _mask.__wrapped__)
    image = backdrop(scene.tint, scene.pattern, size).copy()
    for thing in scene.objects:
        column, right = divmod(round(2 * size * thing.x), 2)
        row, down = divmod(round(2 * size * thing.y), 2)
        stencil = mask(thing.shape, thing.turn, thing.radius * size, right, down)
        reach = stencil.width // 2
        image.paste(PALETTE[thing.color], (column - reach, row - reach), stencil)
    pixels = np.frombuffer(image.tobytes(), np.uint8)
    start = int(scene.grain * _NOISE_STARTS)
    # Unsigned bytes wrap around: adding 253 subtracts 3.
    noisy: np.ndarray = pixels + _noise_strip(size, noise)[start : start + pixels.size]
    return noisy.reshape(size, size, 3)


@functools.lru_cache(maxsize=4096)
def _mask(shape: str, turn: int, radius: float, right: int, down: int) -> Image.Image:
    """Coverage of the pixels around a shape's centre, in 255ths. radius: in pixels.

    right, down: 0 or 1. The centre is at the corner of four pixels, or half a pixel to the right of it or
    down; drawing at twice the size is not more exact anyway.
    """
    reach = math.ceil(radius) + 1
    image = Image.new("L", (4 * reach, 4 * reach))
    center = 2 * reach + right, 2 * reach + down
    _draw_shape(ImageDraw.Draw(image), shape, turn, center, 2 * radius, 255)
    return image.reduce(2)


def _draw_shape(
    canvas: ImageDraw.ImageDraw,
    shape: str,
    turn: int,
    center: tuple[float, float],
    radius: float,
    ink: int,
) -> None:
    # Pillow truncates coordinates and includes the first and the last pixel. Half a pixel less on each
    # side rounds both.
    (x, y), radius = center, radius - 0.5
    if shape not in ROUND:
        canvas.polygon([(px * radius + x, py * radius + y) for px, py in outline(shape, turn)], ink)
        return
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "circle":
        canvas.ellipse(box, ink)
    else:
        canvas.ellipse(box, outline=ink, width=round(RING_WIDTH * radius))


def hidden_share(back: Object, front: Object, scale: int = 96) -> float:
    """Share of `back`'s area that `front` covers."""
    image = Image.new("L", (scale, scale))
    canvas = ImageDraw.Draw(image)
    center = back.x * scale, back.y * scale
    _draw_shape(canvas, back.shape, back.turn, center, back.radius * scale, 1)
    whole = image.histogram()[1]
    center = front.x * scale, front.y * scale
    _draw_shape(canvas, front.shape, front.turn, center, front.radius * scale, 0)
    return 1 - image.histogram()[1] / whole


@functools.lru_cache(maxsize=len(BACKDROPS) * len(PATTERNS))
def _backdrop(tint: str, pattern: str, size: int) -> Image.Image:
    """The picture without objects."""
    rows, columns = np.mgrid[0:size, 0:size] / (size / 4)
    wave = {
        "plain": np.zeros_like(rows),
        "shaded": columns / 2 - 1,
        "striped": np.where((rows + columns) % 1 < 0.5, 1.0, -1.0),
        "checkered": np.where((rows % 1 < 0.5) == (columns % 1 < 0.5), 1.0, -1.0),
    }[pattern]
    pixels = np.array(BACKDROPS[tint]) + np.rint(_SWING * wave)[..., None]
    return Image.fromarray(pixels.astype(np.uint8))


@functools.lru_cache(maxsize=4)
def _noise_strip(size: int, noise: int) -> np.ndarray:
    """Approximately normal noise in [-noise, noise] as bytes modulo 256, long enough for every start."""
    length = size * size * 3 + _NOISE_STARTS
    bits = np.random.PCG64(np.random.SeedSequence((size, noise)))
    words = bits.random_raw(-(-length // 2)).view(np.uint8).reshape(4, -1)
    bell = words.sum(0, dtype=np.int32) / (4 * 255) * 2 - 1
    steps: np.ndarray = np.rint(noise * bell[:length]).astype(np.int8)
    return steps.view(np.uint8)
