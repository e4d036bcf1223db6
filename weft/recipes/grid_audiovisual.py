"""GRID: the words of a short sentence, heard and read from the lips."""

from weft.recipes._grid import heard, seen, speech
from weft.runs.recipe import Recipe


def grid_audiovisual() -> Recipe:
    """GRID: speech to text from sound and mouth; a gate says at each moment how far either is believed."""
    return speech({"audio": heard(), "video": seen()}, 2500)
