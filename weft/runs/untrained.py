"""Writes a run directory with a recipe's initial model, for a published model that is used without training."""

from pathlib import Path

from weft.core import config as configs
from weft.data.learned import Learned
from weft.encoders.weights import architecture
from weft.runs.check import check_parts
from weft.runs.folder import begun, held
from weft.runs.parts import MODEL, starting_numbers, write_weights
from weft.runs.recipe import Recipe


def save_untrained(recipe: Recipe, folder: Path) -> int:
    """Writes the run directory and returns the number of values in the model's state.

    Streams and targets that learn from rows must have learned already, as pretrained tokenizers have. Raises
    WeftError if the folder already holds a run.
    """
    configs.check(recipe, "recipe")
    with held(folder, new=True), begun(recipe, folder):
        learned = Learned.of(recipe.data.streams, recipe.data.targets)
        learned.learn((), folder)
        model = recipe.model.build()
        check_parts(recipe, model, learned)
        configs.save(architecture(recipe.model), folder / MODEL, checked=True)
        write_weights(model, folder, starting_numbers(recipe, learned.modalities))
    return sum(tensor.numel() for tensor in model.state_dict().values())
