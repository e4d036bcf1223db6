"""Picture -> pixels: 400 x 100, with light grey boxes and dark grey gaps."""

import functools

import numpy as np

from weft.worlds.boxes.world import BOXES, GAP, SIDE, Picture

LIGHT, DARK = 211, 128
PAINT = {"yellow": (255, 255, 0), "black": (0, 0, 0), "blue": (0, 153, 255)}
WIDTH = BOXES * SIDE + (BOXES - 1) * GAP
_FINE = 4
"""Supersampling for smooth edges: samples per pixel along each axis."""


def draw(picture: Picture) -> np.ndarray:
    """(100, 400, 3) uint8."""
    pixels_HWC = _empty().copy()
    for place, box in enumerate(picture.boxes):
        left = place * (SIDE + GAP)
        for item in box:
            x, y, side = left + item.x, item.y, item.side
            pixels_HWC[y : y + side, x : x + side] = _stamp(item.color, item.shape, side)
    return pixels_HWC


@functools.cache
def _empty() -> np.ndarray:
    pixels_HWC = np.full((SIDE, WIDTH, 3), LIGHT, np.uint8)
    for place in range(1, BOXES):
        pixels_HWC[:, place * (SIDE + GAP) - GAP : place * (SIDE + GAP)] = DARK
    return pixels_HWC


@functools.cache
def _stamp(color: str, shape: str, side: int) -> np.ndarray:
    """(side, side, 3) uint8: the item on the background of a box. Items never overlap, so this can be pasted."""
    y, x = (np.mgrid[: side * _FINE, : side * _FINE] + 0.5) / _FINE
    inside = np.ones((side * _FINE, side * _FINE), bool)
    if shape == "circle":
        inside = (x - side / 2) ** 2 + (y - side / 2) ** 2 <= (side / 2) ** 2
    elif shape == "triangle":
        inside = np.abs(x - side / 2) <= y / 2
    share = inside.reshape(side, _FINE, side, _FINE).mean((1, 3))[..., None]
    painted: np.ndarray = np.rint(share * np.array(PAINT[color]) + (1 - share) * LIGHT).astype(
        np.uint8
    )
    return painted
