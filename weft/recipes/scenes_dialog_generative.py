"""Dialogs about the generated world: answers are generated."""

from weft.recipes._dialog import Without
from weft.recipes._scenes_dialog import scenes_dialogs
from weft.runs.recipe import Recipe


def scenes_dialog_generative(without: Without = "nothing") -> Recipe:
    """Dialog on the generated world: a decoder writes the answers (generative, Visual Dialog 2017), in minutes."""
    return scenes_dialogs(generative=True, without=without)
