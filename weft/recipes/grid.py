"""GRID: the words of a short sentence, heard in the sound of a video."""

from weft.recipes._grid import heard, speech
from weft.runs.recipe import Recipe


def grid() -> Recipe:
    """GRID: speech to text from sound, also in noise: a GRU in both directions over frames and CTC over words."""
    return speech({"audio": heard()}, 2500)
