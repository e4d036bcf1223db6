"""Scene -> picture: shapes drawn by Pillow at twice the size, averaged down, with noise."""

import functools

import numpy as np
from PIL import Image, ImageDraw

from weft.data.scenes.world import Object, Scene, outline

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
_RING_WIDTH = 0.42
_NOISE_TILES = 8


def draw(scene: Scene, size: int, noise: int) -> np.ndarray:
    """(size, size, 3) uint8. noise: largest change of a pixel by noise, at most MAX_NOISE."""
    image = _backdrop(scene.tint, scene.pattern, size).copy()
    canvas = ImageDraw.Draw(image)
    for thing in scene.objects:
        _draw_object(canvas, thing, 2 * size, PALETTE[thing.color])
    pixels = np.frombuffer(image.reduce(2).tobytes(), np.uint8).reshape(size, size, 3)
    if noise == 0:
        return np.array(pixels)
    bank = _noise_bank(size, noise)
    number = int(scene.grain * 2**20)
    row, column = number % _NOISE_TILES, number // _NOISE_TILES % size
    # Unsigned bytes wrap around: adding 253 takes 3 away.
    noisy: np.ndarray = pixels + bank[row, :, column : column + size]
    return noisy


def _draw_object(
    canvas: ImageDraw.ImageDraw, thing: Object, scale: int, ink: tuple[int, int, int] | int
) -> None:
    # Pillow counts a pixel by its centre, half a pixel from its corner, and includes both ends.
    x, y, radius = thing.x * scale - 0.5, thing.y * scale - 0.5, thing.radius * scale
    if thing.shape in ("circle", "ring"):
        box = (x - radius, y - radius, x + radius, y + radius)
        if thing.shape == "circle":
            canvas.ellipse(box, fill=ink)
        else:
            canvas.ellipse(box, outline=ink, width=round(_RING_WIDTH * radius))
    else:
        canvas.polygon((outline(thing.shape, thing.turn) * radius + (x, y)).ravel().tolist(), ink)


def hidden_share(back: Object, front: Object, scale: int = 96) -> float:
    """Share of `back`'s area that `front` covers."""
    image = Image.new("L", (scale, scale))
    canvas = ImageDraw.Draw(image)
    _draw_object(canvas, back, scale, 1)
    whole = image.histogram()[1]
    _draw_object(canvas, front, scale, 0)
    return 1 - image.histogram()[1] / whole


@functools.lru_cache(maxsize=24)
def _backdrop(tint: str, pattern: str, size: int) -> Image.Image:
    """The empty picture at twice the size. 24 of them are kept: 1.6 MB at 64 pixels."""
    rows, columns = np.mgrid[0 : 2 * size, 0 : 2 * size] / (2 * size)
    wave = {
        "plain": np.zeros_like(rows),
        "shaded": 2 * rows - 1,
        "striped": np.where((rows + columns) * 5 % 1 < 0.5, 1.0, -1.0),
        "checkered": np.where((rows * 8 // 1 + columns * 8 // 1) % 2 < 1, 1.0, -1.0),
    }[pattern]
    pixels = np.array(BACKDROPS[tint]) + np.rint(_SWING * wave)[..., None]
    return Image.fromarray(pixels.astype(np.uint8))


@functools.lru_cache(maxsize=4)
def _noise_bank(size: int, noise: int) -> np.ndarray:
    """(tiles, size, 2 * size, 3) uint8: bell-shaped noise in [-noise, noise], modulo 256."""
    bits = np.random.PCG64(np.random.SeedSequence((size, noise)))
    shape = (_NOISE_TILES, size, 2 * size, 3)
    words = bits.random_raw(int(np.prod(shape)) // 2).view(np.uint8).reshape(4, -1)
    bell = words.sum(0, dtype=np.int32) / (4 * 255) * 2 - 1
    steps: np.ndarray = np.rint(noise * bell).astype(np.int8)
    return steps.view(np.uint8).reshape(shape)
