"""Dialogs about the generated world: candidate answers are ranked."""

from weft.recipes._dialog import Without
from weft.recipes._scenes_dialog import scenes_dialogs
from weft.runs.recipe import Recipe


def scenes_dialog(without: Without = "nothing") -> Recipe:
    """Dialog on the generated world: candidate answers are ranked (discriminative, Visual Dialog 2017), in minutes."""
    return scenes_dialogs(generative=False, without=without)
