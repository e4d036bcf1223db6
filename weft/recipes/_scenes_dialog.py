"""Shared by the recipes for dialogs about the generated world."""

from weft.data.targets.cells import CellsConfig
from weft.objectives.grid_objects import GridObjectsConfig
from weft.recipes._dialog import HISTORY, dialog_recipe, words
from weft.recipes._own_streams import Inputs, Stream
from weft.recipes._scenes import PICTURE, SIMPLE, VOCABULARY, data, pictures, run
from weft.runs.recipe import DataConfig, Recipe
from weft.training.optim import OptimConfig
from weft.worlds.scenes import SIZES
from weft.worlds.scenes.source import GeneratedConfig

CLASSES = (len(SIMPLE.shapes), len(SIMPLE.colors), len(SIZES))


def scenes_dialogs(*, generative: bool, without: str) -> Recipe:
    """Dialogs about scenes of three objects. without: a stream that the model never sees."""
    inputs = _inputs(without)
    recipe = dialog_recipe(
        inputs,
        DataConfig(
            source=GeneratedConfig(
                train=60000, validation=150, test=1000, scenes=SIMPLE, rows="dialogs"
            ),
            streams=inputs.streams,
            optional=() if without == HISTORY else (HISTORY,),
        ),
        generative=generative,
        optim=OptimConfig(lr=1.5e-3, weight_decay=0.05, warmup=0.1, ema=0.99),
        run=run(6000).replace(
            batch_size=64,
            evaluate_every=1000,
            checkpoint_every=1000,
            monitor="dialog/MRR",
            workers=1,
        ),
    )
    if without == "image":
        return recipe
    # With this auxiliary loss a few thousand pictures suffice to recognise objects; answers alone need many more.
    return recipe.replace(
        data=recipe.data.replace(targets={"objects": CellsConfig(cells=SIMPLE.size // 8)}),
        objectives={**recipe.objectives, "objects": GridObjectsConfig(PICTURE, CLASSES)},
    )


def _inputs(without: str) -> Inputs:
    found = words(VOCABULARY)
    found.add("image", Stream(data(SIMPLE).streams["image"], pictures(), PICTURE))
    for parts in (found.streams, found.encoders, found.widths):
        parts.pop(without, None)
    return found
