"""GRID: the words of a short sentence, heard and read from the lips."""

from weft.recipes._grid import heard, seen, speech
from weft.runs.recipe import Recipe


def grid_audiovisual() -> Recipe:
    """GRID: speech to text from sound and lips; a gate weights the two streams at each moment."""
    return speech({"audio": heard(), "video": seen()}, 2500)
