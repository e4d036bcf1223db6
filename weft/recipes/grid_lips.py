"""GRID: the words of a short sentence, read from the lips alone."""

from weft.recipes._grid import seen, speech
from weft.runs.recipe import Recipe


def grid_lips() -> Recipe:
    """GRID: lip reading: speech to text from the moving lips, without sound."""
    return speech({"video": seen()}, 2500)
