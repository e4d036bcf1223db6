"""Draws a digit: one stroke, randomly rotated, stretched and shifted, in a random colour on a dark background."""

import math

import numpy as np
from PIL import Image, ImageDraw

Points = tuple[tuple[float, float], ...]

STROKES: dict[int, Points] = {
    0: tuple((0.5 + 0.25 * math.sin(t / 8 * math.pi), 0.5 - 0.4 * math.cos(t / 8 * math.pi)) for t in range(17)),
    1: ((0.35, 0.25), (0.5, 0.1), (0.5, 0.9)),
    2: ((0.25, 0.28), (0.36, 0.13), (0.6, 0.1), (0.75, 0.28), (0.67, 0.48), (0.25, 0.9), (0.78, 0.9)),
    3: ((0.25, 0.15), (0.6, 0.1), (0.74, 0.27), (0.62, 0.45), (0.44, 0.48), (0.66, 0.53), (0.77, 0.72), (0.6, 0.9), (0.25, 0.86)),
    4: ((0.62, 0.9), (0.62, 0.1), (0.2, 0.65), (0.82, 0.65)),
    5: ((0.74, 0.1), (0.32, 0.1), (0.28, 0.46), (0.55, 0.42), (0.76, 0.6), (0.68, 0.84), (0.45, 0.92), (0.24, 0.82)),
    6: ((0.68, 0.12), (0.42, 0.28), (0.27, 0.6), (0.34, 0.84), (0.55, 0.92), (0.74, 0.78), (0.7, 0.57), (0.5, 0.48), (0.29, 0.62)),
    7: ((0.22, 0.1), (0.78, 0.1), (0.45, 0.9)),
    8: ((0.5, 0.48), (0.31, 0.3), (0.5, 0.1), (0.69, 0.3), (0.5, 0.48), (0.26, 0.7), (0.5, 0.91), (0.74, 0.7), (0.5, 0.48)),
    9: ((0.72, 0.38), (0.52, 0.52), (0.3, 0.4), (0.3, 0.2), (0.5, 0.09), (0.7, 0.2), (0.72, 0.38), (0.66, 0.9)),
}  # fmt: skip
"""Digit -> the points of its stroke, x to the right and y down, in a square of side 1."""
TWICE = 4
"""Supersampling: the picture is drawn this many times larger and averaged down."""


def draw_digit(digit: int, size: int, seed: tuple[int, ...]) -> np.ndarray:
    """(size, size, 3) uint8, a function of its arguments."""
    random = np.random.default_rng(seed)
    turn, lean = random.uniform(-0.25, 0.25), random.uniform(-0.2, 0.2)
    wide, high = random.uniform(0.6, 0.95, size=2)
    moved = random.uniform(-0.08, 0.08, size=2)
    thick = random.uniform(0.07, 0.14)
    color = tuple(int(part) for part in random.integers(120, 256, size=3))
    ground = tuple(int(part) for part in random.integers(0, 50, size=3))
    side = size * TWICE
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)
    points = np.array(STROKES[digit]) - 0.5 + random.normal(0, 0.015, (len(STROKES[digit]), 2))
    points = points * (wide, high)
    points[:, 0] += lean * points[:, 1]
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    points = (points @ rotation.T + 0.5 + moved) * side
    path = [(float(x), float(y)) for x, y in points]
    radius = thick * side / 2
    pen.line(path, fill=color, width=round(2 * radius), joint="curve")
    for x, y in path:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))
